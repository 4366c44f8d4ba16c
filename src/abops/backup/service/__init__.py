"""What the commands do: protect a database, make backups, tell how they are."""
