"""PostgreSQL, read only: one short statement at a time, with a limit on its time."""

from collections.abc import Sequence
from typing import Any

import psycopg

from abops.kernel.errors import OpsError

CONNECT_TIMEOUT_S = 3
STATEMENT_TIMEOUT_MS = 5_000


class PostgresUnreachableError(OpsError):
    """PostgreSQL did not answer."""

    hint = "abops stack status postgres; the address comes from the environment."


class PostgresReader:
    """Reads from one database; connects again by itself."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection[Sequence[Any]] | None = None

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Return all rows of `statement`. Raises PostgresUnreachableError, without the address."""
        try:
            connection = self._connected()
            return [tuple(row) for row in connection.execute(statement.encode()).fetchall()]
        except psycopg.Error as error:
            self.close()
            raise PostgresUnreachableError(f"PostgreSQL: {type(error).__name__}") from error

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> psycopg.Connection[Sequence[Any]]:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._url,
                autocommit=True,
                connect_timeout=CONNECT_TIMEOUT_S,
                application_name="abops-exporter",
                options=f"-c statement_timeout={STATEMENT_TIMEOUT_MS}"
                " -c default_transaction_read_only=on",
            )
        return self._connection
