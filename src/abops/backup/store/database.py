"""Opening the catalog: one SQLite file, written by the scheduler and by whoever runs a command.

Write-ahead log and `synchronous=FULL`, so that what is committed survives a power cut; a writer
waits for another's short transaction. It is never the protected database: what knows how to
restore must not need what is to be restored.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from abops.clients.migrations import revision_of, upgrade
from abops.kernel.errors import OpsError

HEAD: Final = "0001"
"""The revision this code is written for; Alembic is loaded only when the file is older."""
BUSY_TIMEOUT_S: Final = 10.0
MIGRATIONS: Final = Path(__file__).parent / "migrations"


class CatalogError(OpsError):
    """The catalog cannot be used."""

    hint = "Look at the disk and the file's owner; `abops backup catalog rebuild` makes it again."


class Catalog:
    """The file of the catalog: short transactions, from any thread or process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine: Engine | None = None

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a transaction that has the write lock from its start; an error undoes all of it."""
        with self._session("BEGIN IMMEDIATE") as connection:
            yield connection
            connection.exec_driver_sql("COMMIT")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a view that does not change while one looks at it."""
        with self._session("BEGIN") as connection:
            yield connection

    def close(self) -> None:
        """Close the file."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    @contextmanager
    def _session(self, begin: str) -> Iterator[Connection]:
        try:
            with self._opened().connect() as connection:
                connection.exec_driver_sql(begin)
                yield connection
        except SQLAlchemyError as error:
            reason = str(getattr(error, "orig", None) or error).strip()
            raise CatalogError(f"{self.path.name}: {reason}") from error

    def _opened(self) -> Engine:
        if self._engine is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            engine = create_engine(
                f"sqlite:///{self.path}",
                connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_S},
                pool_size=2,
                max_overflow=8,
            )
            event.listen(engine, "connect", _prepare)
            _migrate(engine)
            self._engine = engine
        return self._engine


def _prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own
    connection.isolation_level = None  # transactions begin where `Catalog` says so
    busy = f"busy_timeout={BUSY_TIMEOUT_S * 1000:.0f}"
    for pragma in (busy, "journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")


def _migrate(engine: Engine) -> None:
    """Bring the schema to HEAD; a file that is there already costs one query."""
    with engine.connect() as connection:
        if revision_of(connection) == HEAD:
            return
        connection.rollback()
        # Two commands may find no catalog at the same moment: the second waits and looks again.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        if revision_of(connection) != HEAD:
            upgrade(connection, MIGRATIONS)
        connection.exec_driver_sql("COMMIT")
