"""The same claims with a newer PostgreSQL, and with the oldest engine that will do."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from abops.stack.tools import ToolMissingError, find_tool
from support.backup import Protected, RegionServer, protect
from support.restoring import ACCOUNTS, restored


def tool(name: str) -> Path:
    try:
        return find_tool(name)
    except ToolMissingError as missing:
        pytest.skip(f"{missing}: this version is not tested")


@contextmanager
def postgres_16(regions: dict[str, RegionServer]) -> Iterator[Protected]:
    """A database of PostgreSQL 16, its programs where their user can reach them."""
    folder = Path(tempfile.mkdtemp(prefix="abops-pg16-"))
    try:
        shutil.copytree(tool("postgres-16").resolve().parents[1], folder / "pg", symlinks=True)
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755) if path.is_dir() else None
        with protect(regions, names=("eu",), server=folder / "pg" / "bin") as one:
            yield one
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def oldest_engine(regions: dict[str, RegionServer]) -> Iterator[Protected]:
    with protect(regions, names=("eu",), engine=tool("pgbackrest-2.45")) as one:
        yield one


@pytest.mark.parametrize("version", [postgres_16, oldest_engine], ids=lambda one: one.__name__)
def test_full_increment_of_blocks_verification_and_a_point_in_time(
    regions: dict[str, RegionServer], version: type[object]
) -> None:
    regions["eu"].ensure()
    with version(regions) as protected:
        protected.archive_directly("eu")
        database = protected.database
        database.fill(2)
        made = run(protected, "full")
        database.sql("UPDATE pgbench_accounts SET abalance = 1 WHERE aid < 2000")
        database.sql("CHECKPOINT")
        increment = run(protected, "incr")
        # Of a changed file only the changed blocks: file by file it would be nearly everything.
        assert increment["stored"] < 0.4 * made["stored"]
        expected = database.sql(ACCOUNTS)
        moment = database.sql("SELECT clock_timestamp()")
        # Repositories count whole seconds: the log leads to the second after this one for sure.
        database.sql("SELECT pg_sleep(1.1)")
        database.sql("DELETE FROM pgbench_accounts")
        protected.switch()
        verified = protected.abops("verify", "--output", "json")
        assert 0 == verified.returncode, verified.stdout + verified.stderr
        assert expected == restored(protected, ACCOUNTS, "--time", moment)


def run(protected: Protected, kind: str) -> dict[str, float]:
    done = protected.abops("run", "--type", kind, "--output", "json")
    assert 0 == done.returncode, done.stderr
    (made,) = json.loads(done.stdout)
    return {"stored": made["stored"]}
