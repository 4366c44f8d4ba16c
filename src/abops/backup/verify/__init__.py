"""Whether what was kept can be restored: judged without trusting the engine's exit codes."""
