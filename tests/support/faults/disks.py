"""Disks that are full: small volumes in memory, truly filled. Mounting them needs root."""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from support.backup import Protected, RegionServer, give_to_owner, protect, start_regions
from support.faults.dead import missing, processes_in
from support.faults.told import NotPlayedError, Told, made, timed
from support.restoring import ACCOUNTS, restored
from support.servers import wait_until
from support.wal import Archiver, archiving

MOUNT, UMOUNT = "/bin/mount", "/bin/umount"
NOISE: Final = (
    "CREATE TABLE IF NOT EXISTS noise (content bytea); ALTER TABLE noise ALTER content SET STORAGE "
    "EXTERNAL; INSERT INTO noise SELECT decode(string_agg(md5(random()::text), ''), 'hex') "
    "FROM generate_series(1, {count}) number GROUP BY number / 512"
)
"""16 bytes a count that no compression makes smaller."""
REGION_NOISE: Final = 2_600_000
LOG_NOISE: Final = 500_000
MOST_STEPS: Final = 60
SEGMENT_NAME: Final = 24


@contextmanager
def small_volume(megabytes: int) -> Iterator[Path]:
    """Mount a volume of this size. Raises NotPlayedError where that is not allowed."""
    folder = Path(tempfile.mkdtemp(prefix="abops-small-"))
    words: list[str | Path] = [
        MOUNT,
        "-t",
        "tmpfs",
        "-o",
        f"size={megabytes}m,mode=755",
        "tmpfs",
        folder,
    ]
    if os.geteuid() != 0 or subprocess.run(words, check=False, capture_output=True).returncode:
        folder.rmdir()
        raise NotPlayedError("a volume cannot be mounted here: it needs root")
    give_to_owner(folder)
    try:
        yield folder
    finally:
        subprocess.run([UMOUNT, "--lazy", folder], check=True)
        folder.rmdir()


def grow(volume: Path, megabytes: int) -> None:
    """Make a volume bigger while it is in use."""
    subprocess.run([MOUNT, "-o", f"remount,size={megabytes}m", volume], check=True)


def refused_restore_target(protected: Protected) -> Told:
    """Restore to where it does not fit."""
    with small_volume(32) as volume:
        place = volume / "data"
        call = ("restore", "--to-dir", place, "--from", "us")
        refused, seconds = timed(lambda: protected.abops(*call))
        assert (1, False) == (refused.returncode, place.exists()), refused.stderr
        assert " are free" in refused.stderr
    told = f"refused: {_first(refused.stderr)}"
    return Told("a volume of 32 MB as target", told, seconds, 0, 0)


def filled_restore_target(protected: Protected) -> Told:
    """Restore to where it seems to fit, and does not."""
    expected = protected.database.sql(ACCOUNTS)
    with small_volume(32) as volume:
        place = volume / "data"
        call = ("restore", "--to-dir", place, "--from", "us", "--delta")
        # The files of a cluster are reused: how much that saves is not known beforehand.
        place.mkdir(mode=0o700)
        (place / "PG_VERSION").write_text("15\n")
        give_to_owner(place)
        full, seconds = timed(lambda: protected.abops(*call))
        assert (1, True) == (full.returncode, "error: us: restore: " in full.stderr), full.stderr
        assert "hint: Make space on the volume" in full.stderr, full.stderr
    lost = int(restored(protected, ACCOUNTS, "--from", "us") != expected)
    return Told("a volume of 32 MB filled by a restore", _first(full.stderr), seconds, lost, 1)


def _first(said: str) -> str:
    return next(line for line in said.splitlines() if line.startswith("error: ")).removeprefix(
        "error: "
    )


def full_region(regions: Mapping[str, RegionServer]) -> Told:
    """Fill the volume on which eu lies, while log and backups go there; then make it bigger."""
    with small_volume(56) as volume, start_regions(volume, "eu") as small:
        both = {"eu": small["eu"], "us": regions["us"]}
        with protect(both) as protected, archiving(protected) as archiver:
            return _filled_region(protected, archiver, volume)


def _filled_region(protected: Protected, archiver: Archiver, volume: Path) -> Told:
    database = protected.database
    database.fill()
    database.sql(NOISE.format(count=REGION_NOISE))
    database.sql("SELECT pg_switch_wal()")
    first, seconds = timed(lambda: made(protected, "--type", "full"))
    assert ("failed", "success") == (first["eu"]["outcome"], first["us"]["outcome"]), first
    error = first["eu"]["error"]
    assert first["eu"]["hint"], first
    owed = len(archiver.owed("eu"))
    assert owed > 0
    grow(volume, 600)
    # It does not notice by itself: what failed to be written stays closed until a start.
    protected.regions["eu"].kill()
    protected.regions["eu"].start()
    drained = protected.abops("wal", "drain", "--timeout", "100")
    assert 0 == drained.returncode, drained.stderr
    again = made(protected, "--to", "eu", "--type", "full")["eu"]
    assert "success" == again["outcome"], again
    names = sorted(path.name for path in archiver.side.iterdir() if len(path.name) == SEGMENT_NAME)
    lost = missing(archiver, names)
    expected = database.sql(ACCOUNTS)
    lost += int(restored(protected, ACCOUNTS, "--from", "eu") != expected)
    told = f"{error}; us: success; {owed} owed, paid once there was room"
    return Told("a volume of 56 MB under eu, filled", told, seconds, lost, 2 * len(names) + 1)


def full_log(regions: Mapping[str, RegionServer]) -> Told:
    """Fill the volume of the log while us is gone: owed copies first, then PostgreSQL itself."""
    with small_volume(176) as volume:
        small = {"max_wal_size": "64MB", "min_wal_size": "32MB", "log_volume": volume}
        with protect(regions, **small) as protected, archiving(protected) as archiver:
            return _filled_log(protected, archiver)


def _filled_log(protected: Protected, archiver: Archiver) -> Told:
    database, region = protected.database, protected.regions["us"]
    database.sql("CREATE TABLE step (number int)")
    archiver.make_segments(1)
    region.kill()
    acknowledged = 0
    try:
        while acknowledged < MOST_STEPS:
            step = f"INSERT INTO step SELECT {acknowledged}"
            database.sql(f"{NOISE.format(count=LOG_NOISE)}; {step}")
            acknowledged += 1
    except AssertionError as error:
        refused = str(error)
    assert acknowledged < MOST_STEPS, "the volume never filled"
    assert "No space left" in database.log.read_text(), refused
    owed, free = len(archiver.owed("us")), archiver.log.read_text()
    assert "cannot be owed to us" in free, free[-500:]
    region.start()

    def bring_back() -> None:
        drained = protected.abops("wal", "drain", "--timeout", "100")
        assert 0 == drained.returncode, drained.stderr
        wait_until(lambda: not list(processes_in(database.data)), what="PostgreSQL gone")
        database.start()
        archiver.make_segments(1)

    _, seconds = timed(bring_back)
    drained = protected.abops("wal", "drain", "--timeout", "100")
    assert 0 == drained.returncode, drained.stderr
    there = int(database.sql("SELECT count(DISTINCT number) FROM step"))
    names = sorted(path.name for path in archiver.side.iterdir() if len(path.name) == SEGMENT_NAME)
    lost = max(acknowledged - there, 0) + missing(archiver, names)
    told = (
        f"{owed} owed, no more taken at a tenth free; PostgreSQL stopped, back in {seconds:.1f} s"
    )
    counted = acknowledged + 2 * len(names)
    return Told("a volume of 176 MB under pg_wal and owed, filled", told, seconds, lost, counted)
