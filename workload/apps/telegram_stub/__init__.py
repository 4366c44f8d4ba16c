"""A Telegram Bot API on loopback, for demonstrations and tests only."""
