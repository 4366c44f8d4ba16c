"""PostgreSQL's settings: read, and changed for the whole server (ALTER SYSTEM)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from psycopg import sql

from abops.clients.postgres import CONNECT_TIMEOUT_S, PostgresUnreachableError


class Setting(msgspec.Struct, frozen=True):
    """A setting as the server has it now."""

    name: str
    value: str
    waits_for_restart: bool


class PostgresSettings:
    """One server, by the folder of its Unix socket, as its superuser."""

    def __init__(
        self, socket: Path, port: int, user: str, database: str, password_file: Path | None = None
    ) -> None:
        self._name = f"PostgreSQL at {socket}, port {port}"
        self._words: dict[str, str | int] = {
            "host": str(socket),
            "port": port,
            "user": user,
            "dbname": database,
            "connect_timeout": CONNECT_TIMEOUT_S,
            "application_name": "abops-backup",
        }
        if password_file is not None and password_file.is_file():
            self._words["passfile"] = str(password_file)

    def read(self, names: tuple[str, ...]) -> dict[str, Setting]:
        """Return the named settings as they are now. Raises PostgresUnreachableError."""
        rows = self._rows(
            "SELECT name, setting || coalesce(unit, ''), pending_restart FROM pg_settings "
            "WHERE name = ANY(%s)",
            [list(names)],
        )
        return {row[0]: Setting(row[0], row[1], bool(row[2])) for row in rows}

    def one(self, statement: str) -> str:
        """Return the first column of a statement's only row, as text."""
        return str(self._rows(statement, [])[0][0])

    def change(self, wanted: Mapping[str, str]) -> None:
        """Set them for the whole server, and have it read them where no restart is needed."""
        try:
            with self._connected() as connection:
                for name, value in wanted.items():
                    connection.execute(
                        sql.SQL("ALTER SYSTEM SET {} = {}").format(
                            sql.Identifier(name), sql.Literal(value)
                        )
                    )
                connection.execute("SELECT pg_reload_conf()")
        except psycopg.Error as error:
            raise self._error(error) from error

    def _rows(self, statement: str, values: list[object]) -> list[tuple[Any, ...]]:
        try:
            with self._connected() as connection:
                return list(connection.execute(statement.encode(), values).fetchall())
        except psycopg.Error as error:
            raise self._error(error) from error

    def _connected(self) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(**self._words, autocommit=True)  # type: ignore[arg-type]

    def _error(self, error: psycopg.Error) -> PostgresUnreachableError:
        told = str(error).strip().partition("\n")[0]
        return PostgresUnreachableError(
            f"{self._name}: {told}", hint="See whether it runs, and whether its owner may log in."
        )
