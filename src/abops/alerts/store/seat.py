"""Which replica leads: the one whose writing session holds the advisory lock.

Lock and writing are bound together. What the leading replica writes goes through the very
session that holds the lock; when that session ends, for whatever reason, its transaction fails
with it, and nothing can be written in the belief of leading.
"""

from typing import Final

from sqlalchemy import Connection

LOCK: Final = 0x0AB0
"""The first half of the lock's key; the second is the shard."""


class Seat:
    """The lead over one shard of the alerts."""

    def __init__(self, shard: int = 0) -> None:
        self._shard = shard
        self._session: object = None

    def take(self, connection: Connection) -> bool:
        """Take the lead if nobody has it."""
        taken = bool(
            connection.exec_driver_sql(
                "SELECT pg_try_advisory_lock(?, ?)", (LOCK, self._shard)
            ).scalar_one()
        )
        self._session = connection.connection.dbapi_connection if taken else None
        return taken

    def holds(self, connection: Connection) -> bool:
        """Tell whether this is the session that took it; a new one after a failure is not."""
        return self._session is connection.connection.dbapi_connection
