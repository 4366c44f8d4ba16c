"""The database: tables, engines, and which schema the code needs."""
