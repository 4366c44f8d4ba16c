"""The database's side of a backup: the engine's configuration, its answers, its errors."""
