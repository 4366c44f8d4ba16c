"""The alert service's store for tests: SQLite, or PostgreSQL with a new database for each test."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from abops.alerts.service import run
from abops.alerts.store import place as places
from abops.alerts.store.dialect import is_postgres
from abops.alerts.store.place import FILE, Place
from support.servers import Postgres, start_postgres

BOTH = ("sqlite", "postgresql")
_names = iter(range(10_000))


def new_database(server: Postgres) -> str:
    """Make a database and return its address."""
    name = f"alerts_{next(_names)}"
    with psycopg.connect(server.dsn(), autocommit=True) as session:
        session.execute(f"CREATE DATABASE {name}".encode())
    return server.dsn(name)


@contextmanager
def used_by_services(address: str) -> Iterator[None]:
    """Have every service that is made here keep its state in this database."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(places.VARIABLE, address)  # for those that are processes of their own
        patch.setattr(run, "Place", lambda path: Place(path, address))
        yield


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with start_postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture
def address(postgres: Postgres) -> str:
    return new_database(postgres)


def in_store(folder: Path, statement: str, *given: tuple[object, ...]) -> list[tuple[Any, ...]]:
    """Run a statement in the store of the service whose folder this is; return what it finds."""
    engine = run.Place(folder / FILE).open_ledger()
    try:
        with engine.begin() as connection:
            found = connection.exec_driver_sql(statement, list(given) or ())
            return [tuple(row) for row in found] if found.returns_rows else []
    finally:
        engine.dispose()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep the service from storing anything."""
    engine = run.Place(folder / FILE).open_ledger()
    with engine.begin() as connection:  # for SQLite that is enough
        if is_postgres(connection):
            connection.exec_driver_sql("LOCK TABLE event, counter IN ACCESS EXCLUSIVE MODE")
        yield
    engine.dispose()
