"""Azure beside S3: the same commands, the same claims, and a mirror from the one to the other."""

import asyncio
import json
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from abops.backup.model import Kind
from abops.backup.postgres.credentials import credentials_of
from abops.backup.postgres.site import save_site
from abops.clients.object_errors import ObjectAbsentError, StoreDeniedError
from abops.clients.objectstore import PART_BYTES, Store, open_store
from support.azure import AzureServer
from support.backup import Protected, RegionServer, give_to_owner, protect, run_as_owner
from support.wal import Archiver, archiving


@pytest.fixture(scope="module")
def archiver(regions: dict[str, RegionServer], azure: AzureServer) -> Iterator[Archiver]:
    """A database that is protected in one region and in Azure, its log by the archiver."""
    regions["eu"].ensure()
    beside = {"azure": azure}
    with protect(regions, names=("eu", "azure"), beside=beside) as one, archiving(one) as archiver:
        yield archiver


def _store(protected: Protected, **changes: object) -> Store:
    place = protected.destination("azure")
    keys = credentials_of(protected.home, place)
    return open_store(msgspec.structs.replace(place, **changes), keys)


def test_backups_log_and_a_restore_that_compares_equal(archiver: Archiver) -> None:
    protected = archiver.protected
    database = protected.database
    database.fill()
    full = protected.abops("run", "--type", "full", "--output", "json")
    assert 0 == full.returncode, full.stderr
    database.sql("UPDATE pgbench_accounts SET abalance = aid WHERE aid % 50 = 0")
    incr = protected.abops("run", "--output", "json")
    assert 0 == incr.returncode, incr.stderr
    made = {one["destination"]: one for one in json.loads(incr.stdout)}
    assert {"eu": "incr", "azure": "incr"} == {name: one["type"] for name, one in made.items()}
    mark = "SELECT count(*), sum(hashtextextended(t::text, 0)) FROM pgbench_accounts t"
    names = archiver.make_segments(2)
    archiver.compare("azure", names)
    expected = database.sql(mark)
    verified = protected.abops("verify", "--deep", "--output", "json")
    assert 0 == verified.returncode, verified.stdout + verified.stderr
    found = {one["destination"]: one["findings"] for one in json.loads(verified.stdout)}
    assert {"eu": [], "azure": []} == found
    assert expected == restored(protected, "azure", mark)


def restored(protected: Protected, name: str, mark: str) -> str:
    """Restore the latest point from a destination; return what the statement gives there."""
    folder = Path(tempfile.mkdtemp(prefix="abops-new-"))
    give_to_owner(folder)
    place, programs = folder / "data", protected.site.cluster.programs
    try:
        done = protected.abops("restore", "--to-dir", place, "--from", name, "--start")
        assert 0 == done.returncode, done.stderr
        address = (place / "postmaster.pid").read_text().splitlines()[4]
        psql = [programs / "psql", "-X", "-h", address, "-p", "5432"]
        user = ["-U", protected.site.cluster.superuser, "-d", "postgres"]
        told = run_as_owner(*psql, *user, "-Atc", mark).strip()
        run_as_owner(programs / "pg_ctl", "-D", place, "-m", "fast", "stop")
        return told
    finally:
        shutil.rmtree(folder, ignore_errors=True)
