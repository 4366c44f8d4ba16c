"""The statements in the runbooks run on a real server: nobody mends a typo at three at night."""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from support.servers import Postgres, start_postgres

RUNBOOKS = Path(__file__).parents[3] / "docs" / "runbooks"
BLOCK = re.compile(r"```sql\n(.*?)```", re.DOTALL)
PLACES = {
    "FILENODE": "1",
    "QUERYID": "1",
    "the_table": "pg_class",
    "the_index": "pg_class_oid_index",
}
"""What the reader fills in, and something to fill in here."""
LOOKS = re.compile(
    r"(SELECT|SHOW)\b(?!.*\b(pg_terminate_backend|pg_cancel_backend|pg_drop_replication_slot)\b)",
    re.DOTALL,
)


def statements() -> Iterator[str]:
    """Return what only looks."""
    for page in sorted(RUNBOOKS.glob("*.md")):
        for block in BLOCK.findall(page.read_text()):
            for statement in re.sub(r"--.*", "", block).split(";"):
                if LOOKS.match(statement.strip()):
                    yield statement.strip()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with start_postgres(tmp_path_factory.mktemp("postgres")) as running:
        with psycopg.connect(running.dsn(), autocommit=True) as admin:
            admin.execute("CREATE EXTENSION pg_stat_statements")
            admin.execute("CREATE EXTENSION pgstattuple")
        yield running


@pytest.mark.parametrize("statement", [*dict.fromkeys(statements())])
def test_a_statement_that_looks_is_understood(statement: str, server: Postgres) -> None:
    for place, filled in PLACES.items():
        statement = statement.replace(place, filled)
    with (
        psycopg.connect(server.dsn()) as connection,
        suppress(psycopg.errors.ObjectNotInPrerequisiteState),  # meant for a replica
    ):
        connection.execute(statement.encode())


def test_there_are_statements_to_try() -> None:
    assert len(list(statements())) > 20
