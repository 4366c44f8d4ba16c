"""Opening the database.

SQLite on a local disk: write-ahead log, `synchronous=FULL` so that what is committed survives
a power cut, one connection that writes, and any number that only read.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError

from abops.alerts.store.dialect import is_postgres
from abops.alerts.store.postgres import MIGRATION_LOCK
from abops.clients.migrations import revision_of, upgrade
from abops.kernel.errors import OpsError

__all__ = ["Connection", "StoreUnavailableError", "migrate", "open_readers", "open_writer"]
HEAD = "0003"
"""The revision this code is written for; Alembic is loaded only when the file is older."""
BUSY_TIMEOUT_MS = 5_000
MIGRATIONS = Path(__file__).parent / "migrations"


class StoreUnavailableError(OpsError):
    """The alert store cannot be written."""

    hint = "Look at the free disk space and at who else holds the database file open."


def open_writer(path: Path) -> Engine:
    """Open the engine of the one writer: each transaction takes the write lock at its start."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return _engine(path, begin="BEGIN IMMEDIATE", pragmas=("synchronous=FULL",), pool_size=1)


def open_readers(path: Path) -> Engine:
    """Open the engine of the readers: they see the last commit and cannot write."""
    return _engine(path, begin="BEGIN", pragmas=("query_only=ON",), pool_size=4)


def migrate(engine: Engine) -> None:
    """Bring the schema to HEAD; a file that is there already costs one query."""
    try:
        with engine.connect() as connection:
            if revision_of(connection) == HEAD:
                return
            if is_postgres(connection):  # two replicas may start at the same moment
                connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
                connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
            if revision_of(connection) != HEAD:
                upgrade(connection, MIGRATIONS)
            connection.commit()
    except SQLAlchemyError as error:
        name = engine.url.database or "PostgreSQL"
        raise StoreUnavailableError(
            f"{name} cannot be used as the alert store: {reason_of(error)}"
        ) from error


@contextmanager
def answering() -> Iterator[None]:
    """Turn a database that does not answer into a StoreUnavailableError."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise StoreUnavailableError(
            f"the alert store does not answer: {reason_of(error)}"
        ) from error


def reason_of(error: Exception) -> str:
    """Return what the database said, without the statement around it."""
    return str(getattr(error, "orig", None) or error).strip()


def _engine(path: Path, *, begin: str, pragmas: tuple[str, ...], pool_size: int) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}",
        connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000},
        pool_size=pool_size,
        max_overflow=8,
    )
    event.listen(engine, "connect", _prepare(pragmas))
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin) and None)
    return engine


def _prepare(pragmas: tuple[str, ...]) -> Callable[[Any, object], None]:
    def prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own
        connection.isolation_level = None  # transactions begin where the engine says so
        for pragma in ("journal_mode=WAL", f"busy_timeout={BUSY_TIMEOUT_MS}", *pragmas):
            connection.execute(f"PRAGMA {pragma}")

    return prepare
