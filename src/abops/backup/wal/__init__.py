"""WAL leaves the machine: told kept when enough destinations have it, owed to those that do not."""
