"""PostgreSQL on its Unix socket: statements one by one, and whole tables as a stream.

For servers that are restored, rehearsed or about to be replaced: one that still recovers is
answered as well as one that takes writes.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import psycopg

from abops.clients.postgres import CONNECT_TIMEOUT_S, PostgresUnreachableError
from abops.kernel.errors import OpsError


class PostgresStatementError(OpsError):
    """PostgreSQL refused a statement."""

    hint = "See the server's log."


class SocketAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where a server listens, and as whom one speaks to it."""

    folder: Path
    port: int
    user: str
    password_file: Path | None = None

    def words(self, database: str) -> dict[str, str | int]:
        """Return the address in libpq's words."""
        words: dict[str, str | int] = {
            "host": str(self.folder),
            "port": self.port,
            "user": self.user,
            "dbname": database,
        }
        if self.password_file is not None and self.password_file.is_file():
            words["passfile"] = str(self.password_file)
        return words


class PostgresSession:
    """One session with one database; used as a context manager."""

    def __init__(self, address: SocketAddress, database: str) -> None:
        self._address = address
        self._database = database
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None

    def __enter__(self) -> Self:
        """Connect. Raises PostgresUnreachableError."""
        try:
            self._connection = psycopg.connect(
                **self._address.words(self._database),  # type: ignore[arg-type]
                autocommit=True,
                connect_timeout=CONNECT_TIMEOUT_S,
                application_name="abops-recovery",
            )
        except psycopg.Error as error:
            told = str(error).strip().partition("\n")[0]
            raise PostgresUnreachableError(
                f"PostgreSQL at {self._address.folder}, port {self._address.port}: {told}",
                hint="See whether it runs, and whether its owner may log in.",
            ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the connection back; a transaction that is open ends undone."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a statement. Raises PostgresStatementError."""
        with self._told():
            found = self._open().execute(statement.encode(), values or None)
            return list(found.fetchall())

    def one(self, statement: str, values: Sequence[object] = ()) -> Any:  # noqa: ANN401 - SQL's own
        """Return the only value of a statement's only row."""
        return self.rows(statement, values)[0][0]

    def run(self, statement: str, values: Sequence[object] = ()) -> None:
        """Run a statement that returns nothing."""
        with self._told():
            self._open().execute(statement.encode(), values or None)

    def end_segment(self) -> str:
        """End the current WAL segment, which gets something to hold; return its name."""
        name = str(self.one("SELECT pg_walfile_name(pg_current_wal_lsn())"))
        self.rows("SELECT pg_logical_emit_message(false, 'abops', 'x')")
        self.rows("SELECT pg_switch_wal()")
        return name

    def has_archived(self, segment: str) -> bool:
        """Tell whether a segment was archived, on whatever timeline the server is since."""
        told = self.one("SELECT coalesce(last_archived_wal, '') FROM pg_stat_archiver")
        return str(told)[8:24] >= segment[8:]

    def digest(self, query: str) -> str:
        """Return the SHA-256 of all that a query returns, in its order, at constant memory."""
        found = hashlib.sha256()
        with self._told(), self._open().cursor() as cursor:
            with cursor.copy(f"COPY ({query}) TO STDOUT".encode()) as stream:
                for block in stream:
                    found.update(block)
            return found.hexdigest()

    def _open(self) -> psycopg.Connection[tuple[Any, ...]]:
        if self._connection is None:
            raise PostgresStatementError("the session is not open")
        return self._connection

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            told = str(error).strip().partition("\n")[0]
            raise PostgresStatementError(f"{self._database}: {told}") from error
