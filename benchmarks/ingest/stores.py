"""The two stores that the alert service is measured on, and how a benchmark looks into them.

PostgreSQL runs with its defaults, so a commit is on the disk; it has a cluster of its own for each
run. What is asked is written in SQL that both understand.
"""

import os
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from support.servers import start_postgres

KINDS = ("sqlite", "postgresql")
Row = tuple[Any, ...]


class Asking:
    """A connection that only reads."""

    def __init__(self, connection: "sqlite3.Connection | psycopg.Connection[Row]") -> None:
        self._connection = connection

    def __call__(self, statement: str) -> list[Row]:
        """Return the rows of a statement."""
        return list(self._connection.execute(statement))  # type: ignore[arg-type]


@dataclass
class Store:
    """Where the service keeps its state."""

    kind: str
    address: str = ""

    @property
    def label(self) -> str:
        """Return the expression for a label of an event, to be filled in by its name."""
        shared = self.kind == "postgresql"
        return "CAST(labels AS json) ->> '{}'" if shared else "json_extract(labels, '$.{}')"

    @contextmanager
    def asking(self, database: Path) -> Iterator[Asking]:
        """Give a connection; SQLite's file is named."""
        if self.kind == "sqlite":
            with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
                yield Asking(connection)
        else:
            with psycopg.connect(self.address, autocommit=True) as session:
                yield Asking(session)


@contextmanager
def a_store(kind: str) -> Iterator[Store]:
    """Run the server that the store needs, if it needs one."""
    if kind == "sqlite":
        yield Store(kind)
        return
    with (
        tempfile.TemporaryDirectory(prefix="abops-bench-") as folder,
        start_postgres(Path(folder), fsync=True) as server,
    ):
        with psycopg.connect(server.dsn(), autocommit=True) as session:
            session.execute("CREATE DATABASE alerts")
        yield Store(kind, server.dsn("alerts"))


def machine() -> str:
    """Say how busy the machine is: figures of a busy one are worth less."""
    load = os.getloadavg()
    return f"{os.cpu_count()} cores, load {load[0]:.1f} (1 min) {load[1]:.1f} (5 min)"
