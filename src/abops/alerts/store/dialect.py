"""The few things that SQLite and PostgreSQL say differently.

Statements are written once, with `?` for what is filled in; `postgres` turns them into its own
marks. What no wording covers both of is here.
"""

from sqlalchemy import Connection


def is_postgres(connection: Connection) -> bool:
    """Tell whether several replicas may share this store."""
    return connection.dialect.name == "postgresql"


def json_text(connection: Connection, column: str, key: str) -> str:
    """Return the expression for a text of the JSON object in a column."""
    if is_postgres(connection):
        return f"CAST({column} AS json) ->> '{key}'"
    return f"json_extract({column}, '$.{key}')"
