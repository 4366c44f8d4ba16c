"""Names of what the records call by its number."""

from typing import Final

from sqlalchemy import Connection

_NEWEST: Final = 1_000


def windows(connection: Connection) -> dict[int, str]:
    """Return the names of the newest maintenance windows, also of those that are over."""
    found = connection.exec_driver_sql(
        'SELECT id, name FROM "window" ORDER BY id DESC LIMIT ?', (_NEWEST,)
    )
    return {int(row[0]): str(row[1]) for row in found}
