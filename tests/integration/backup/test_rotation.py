"""A new key for a destination, on the real engine: points of before and after it are restored."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from abops.backup.postgres.credentials import credentials_of, passphrase_of
from abops.clients.objectstore import open_store
from abops.kernel.clock import SystemClock
from support.backup import (
    ABOPS,
    ROOT,
    Protected,
    RegionServer,
    begin,
    give_to_owner,
    protect,
    run_as_owner,
)
from support.servers import wait_until
from support.wal import Archiver, archiving

COUNT = "SELECT count(*) FROM marks"


@pytest.fixture
def archiver(regions: dict[str, RegionServer]) -> Iterator[Archiver]:
    regions["eu"].ensure()
    with protect(regions, names=("eu",)) as one, archiving(one) as archiver:
        one.database.fill()
        one.database.sql("CREATE TABLE marks (at timestamptz DEFAULT clock_timestamp())")
        yield archiver


def mark(archiver: Archiver) -> str:
    """Write a row; return a moment after it and before the next."""
    database = archiver.protected.database
    database.sql("INSERT INTO marks DEFAULT VALUES")
    return database.sql("SELECT to_char(clock_timestamp(), 'YYYY-MM-DD HH24:MI:SS.US') || '+00'")


def told(protected: Protected, *words: str) -> list[dict[str, str]]:
    done = protected.abops(*words, "--output", "json")
    assert 0 == done.returncode, done.stdout + done.stderr
    found: list[dict[str, str]] = json.loads(done.stdout)
    return found


def restored(protected: Protected, moment: str) -> tuple[str, str]:
    """Restore a moment; return the set that was taken, and how many rows came back."""
    folder = Path(tempfile.mkdtemp(prefix="abops-new-"))
    give_to_owner(folder)
    place, programs = folder / "data", protected.site.cluster.programs
    try:
        (plan,) = told(protected, "restore", "--to-dir", str(place), "--time", moment, "--start")
        address = (place / "postmaster.pid").read_text().splitlines()[4]
        psql = [programs / "psql", "-X", "-h", address, "-p", "5432"]
        user = ["-U", protected.site.cluster.superuser, "-d", "postgres"]
        rows = run_as_owner(*psql, *user, "-Atc", COUNT).strip()
        run_as_owner(programs / "pg_ctl", "-D", place, "-m", "fast", "stop")
        return plan["set"], rows
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def objects(protected: Protected, generation: str) -> set[tuple[str, str]]:
    place = protected.destination("eu")
    store = open_store(place, credentials_of(protected.home, place))
    return {(one.path, one.etag) for one in await store.list(f"analyticbot/{generation}")}


def segments(listed: set[tuple[str, str]]) -> set[str]:
    return {path.rpartition("/")[2][:24] for path, _ in listed if "/archive/" in path}


def engine_runs(protected: Protected) -> bool:
    config = str(protected.home.engine("eu", "g2")).encode()
    found = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    return any(config in words and b"backup" in words.split(b"\0") for words in found)


def begin_and_cut_off(protected: Protected) -> None:
    """Kill a rotation once the log goes to both; its engine may work on for a while."""
    process = subprocess.Popen(
        [ABOPS, "backup", "rotate-key", "eu", "--home", protected.home.folder],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    both = "the log goes to both"
    wait_until(lambda: "g2" == protected.destination("eu").next, what=both, timeout_s=60)
    process.kill()
    process.wait(10)
    wait_until(lambda: not engine_runs(protected), what="the engine ended", timeout_s=60)


async def looks_after(protected: Protected, label: str) -> None:
    """Hold that the sets of an earlier key are verified too, as long as they are there."""
    (whole,) = told(protected, "verify")
    assert ("success", []) == (whole["outcome"], whole["findings"])
    place = protected.destination("eu")
    store = open_store(place, credentials_of(protected.home, place))
    await store.delete([f"analyticbot/g1/backup/main/{label}/backup.manifest.copy"])
    damaged = protected.abops("verify")
    assert (1, True) == (damaged.returncode, f"{label}/backup.manifest" in damaged.stderr)


async def test_a_new_key_takes_over_and_both_times_are_restored(archiver: Archiver) -> None:
    protected = archiver.protected
    (first,) = told(protected, "run", "--type", "full")
    old = protected.destination("eu")
    refused = protected.abops("rotate-key", "eu")
    assert (1, True) == (refused.returncode, "abops backup config init-key" in refused.stderr)
    assert "g1" == protected.destination("eu").generation
    identity = protected.home.folder / "offline.key"
    named = protected.abops("config", "init-key", "--write-identity", identity)
    assert 0 == named.returncode, named.stderr
    mark(archiver)
    in_old_time = mark(archiver)
    archiver.make_segments(2)

    # Cut off as soon as the log goes to both, it goes on where it was.
    begin_and_cut_off(protected)
    assert "g1" == protected.destination("eu").generation
    in_both = archiver.make_segments(1)
    steps = told(protected, "rotate-key", "eu", "--hurry")
    assert ["key", "bundle", "log", "full", "verify", "drill", "switch", "bundle"] == [
        one["step"] for one in steps
    ]
    new = protected.destination("eu")
    assert ("g2", "") == (new.generation, new.next)
    assert passphrase_of(protected.home, old) != passphrase_of(protected.home, new)
    assert [True, True] == [
        one["detail"].endswith("in eu") for one in steps if one["step"] == "bundle"
    ]
    before = await objects(protected, "g1")
    assert {*in_both} <= segments(before)
    assert {*in_both} <= segments(await objects(protected, "g2"))
    mark(archiver)
    in_new_time = mark(archiver)
    # Stores tell times in whole seconds: the log must end in a later one.
    protected.database.sql("SELECT pg_sleep(1.1)")
    mark(archiver)
    names = archiver.make_segments(2)
    assert before == await objects(protected, "g1")
    assert {*names} <= segments(await objects(protected, "g2"))
    listed = told(protected, "list")
    assert [("g1", first["label"]), ("g2", listed[-1]["label"])] == [
        (one["generation"], one["label"]) for one in listed
    ]
    second = listed[-1]

    assert (first["label"], "2") == restored(protected, in_old_time)
    assert (second["label"], "4") == restored(protected, in_new_time)
    # The inventory still names the old key: that does not bring it back, and both are written.
    config = protected.home.engine("eu", "g1")
    right = config.read_text()
    config.write_text(f"{right}# of another endpoint\n")
    assert 0 == begin(protected, "eu").returncode
    assert ("g2", right) == (protected.destination("eu").generation, config.read_text())
    assert "incr" == told(protected, "run")[0]["type"]

    await looks_after(protected, first["label"])
    made = SystemClock().now().timestamp() - 340 * 86_400
    os.utime(protected.home.passphrase("eu", "g2"), (made, made))
    found = json.loads(protected.abops("doctor", "--output", "json").stdout)
    assert [("warning", "g2 is 340 days old", "abops backup rotate-key eu")] == [
        (one["state"], one["detail"], one["hint"]) for one in found if one["check"] == "key"
    ]
