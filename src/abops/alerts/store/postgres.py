"""PostgreSQL as the store of several replicas.

Statements come with SQLite's marks and are turned into the driver's here. Sessions have limits:
a replica that stops in the middle of a transaction, or whose machine is gone, gives its locks
back within seconds, because the server ends its session.
"""

from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event

from abops.clients.postgres import open_session

WRITERS: Final = "abops-alerts"
HELD_UP_S: Final = 10
"""Seconds after which the server ends a session that says nothing in a transaction, or that the
writer, which says something every second, has left alone."""
LOCK_S: Final = 4
"""Seconds to wait for a lock; then the sender is told to come back."""
_WRITER: Final = {
    "idle_in_transaction_session_timeout": f"{HELD_UP_S}s",
    "idle_session_timeout": f"{HELD_UP_S}s",
    "lock_timeout": f"{LOCK_S}s",
    "statement_timeout": "30s",
    "tcp_keepalives_idle": "3",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "5s",
}
_LEDGER: Final = {**_WRITER, "idle_session_timeout": "0"}
_READER: Final = {
    "default_transaction_read_only": "on",
    "default_transaction_isolation": "repeatable\\ read",
    "statement_timeout": "10s",
}
_ACCESS_LOCK: Final = 0x0AB0_0002
MIGRATION_LOCK: Final = 0x0AB0_0003


def open_writer(address: str) -> Engine:
    """Open the engine of this replica's one writer: one session, which may hold the lead."""
    return _engine(address, WRITERS, _WRITER, pool_size=1, max_overflow=0)


def open_ledger(address: str) -> Engine:
    """Open the engine of those who change access: they wait for each other, as in SQLite."""
    engine = _engine(
        address, f"{WRITERS}-access", _LEDGER, pool_size=1, max_overflow=3, pool_pre_ping=True
    )
    statement = f"SELECT pg_advisory_xact_lock({_ACCESS_LOCK})"
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(statement) and None)
    return engine


def open_readers(address: str) -> Engine:
    """Open the engine of the readers: they see the last commit and cannot write."""
    return _engine(
        address, f"{WRITERS}-reader", _READER, pool_size=4, max_overflow=8, pool_pre_ping=True
    )


def _engine(
    address: str,
    application: str,
    settings: dict[str, str],
    **pool: Any,  # noqa: ANN401 - SQLAlchemy's own
) -> Engine:
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: open_session(address, application=application, settings=settings),
        **pool,
    )
    event.listen(engine, "before_cursor_execute", _with_own_marks, retval=True)
    return engine


def _with_own_marks(
    _connection: Connection,
    _cursor: object,
    statement: str,
    parameters: Any,  # noqa: ANN401 - whatever was given
    context: Any,  # noqa: ANN401 - SQLAlchemy's own
    _many: bool,  # noqa: FBT001 - as SQLAlchemy calls it
) -> tuple[str, Any]:
    """Replace the marks of what is plain SQL; what SQLAlchemy wrote has the right ones."""
    if context is not None and context.compiled is None:
        statement = own_marks(statement)
    return statement, parameters


@lru_cache(1_000)
def own_marks(statement: str) -> str:
    """Turn `?` into the driver's mark, but not within a text, and keep `%` what it is."""
    parts = statement.replace("%", "%%").split("'")
    parts[::2] = [part.replace("?", "%s") for part in parts[::2]]
    return "'".join(parts)
