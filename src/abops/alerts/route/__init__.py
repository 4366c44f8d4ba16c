"""Who is told what; pure."""
