"""Statistics of channels, read by user accounts: what a bot is not allowed to see."""
