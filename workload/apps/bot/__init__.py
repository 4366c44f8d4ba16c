"""The Telegram bot, and the tasks that speak for it."""
