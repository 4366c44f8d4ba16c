"""The postmaster killed, a region gone for the length of a whole backup, a new timeline."""

import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from support.backup import ABOPS, ROOT, Protected
from support.faults.told import Told, checked, made, scheduled, timed
from support.restoring import ACCOUNTS, restored
from support.servers import free_port, wait_until
from support.wal import Archiver, archiving, sha1

GOAL_ANSWER_S: Final = 0.5
GOAL_DRAIN_S: Final = 30.0
SLOW_SHARE: Final = 0.05
PAUSE_S: Final = 0.05
ROWS: Final = "SELECT count(*) FROM pgbench_history WHERE delta = 4711"


def killed_postmaster(protected: Protected) -> Told:
    """Kill PostgreSQL in the middle of a full backup; start it, and make the backup again."""
    database = protected.database
    protected.archive_directly("us")
    log = database.folder / "killed-run.log"
    words = ["backup", "run", "--to", "us", "--type", "full", "--home", protected.home.folder]
    with log.open("wb") as stream:
        run = subprocess.Popen([ABOPS, *words], stdout=stream, stderr=stream, cwd=ROOT)
    wait_until(lambda: _is_copying(protected), what="the backup under way", timeout_s=60)
    database.sql("INSERT INTO pgbench_history (tid, delta) VALUES (0, 4711)")
    database.stop(signal.SIGKILL)
    code, seconds = timed(lambda: run.wait(180))
    said = log.read_text()
    assert (1, True) == (code, "error: us: backup: " in said), said
    wait_until(lambda: not list(processes_in(database.data)), what="all of PostgreSQL gone")
    database.start()
    after = made(protected, "--to", "us", "--type", "full")["us"]
    assert "success" == after["outcome"], after
    lost = int(database.sql(ROWS) != "1")
    expected = database.sql(ACCOUNTS)
    lost += int(restored(protected, ACCOUNTS, "--from", "us") != expected)
    error = next(line for line in said.splitlines() if line.startswith("error: us"))
    again = f"{error}; the next run: {after['outcome']}, restored equal"
    return Told("SIGKILL to the postmaster during a full backup", again, seconds, lost, 2)


def _is_copying(protected: Protected) -> bool:
    """Tell whether the engine holds its lock for a backup."""
    return any((protected.home.work("us") / "lock").glob("main-backup*.lock"))


def processes_in(folder: Path) -> Iterator[int]:
    """Yield the processes that work in a folder: those of a killed server live on for a moment."""
    for link in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if link.readlink() == folder:
                yield int(link.parent.name)
        except OSError:
            continue


def region_gone(protected: Protected, how: Literal["freeze", "kill"], least: int) -> Told:
    """Take us away while eu gets a whole backup and the log goes on; bring it back."""
    region = protected.regions["us"]
    with archiving(protected, "--metrics-port", str(free_port())) as archiver:
        assert protected.abops("wal", "drain").returncode == 0
        # A hole that earlier trouble left is seen here, and the next full set leads past it.
        checked(protected)
        normal = made(protected, "--to", "eu", "--type", "full")["eu"]["seconds"]
        getattr(region, how)()
        try:
            names, backup = _through_a_backup(archiver, least)
            slow, owed = archiver.slow_answers(str(GOAL_ANSWER_S)), len(archiver.owed("us"))
        finally:
            region.ensure()
        drained, seconds = timed(lambda: protected.abops("wal", "drain", "--timeout", "60"))
        assert 0 == drained.returncode, drained.stderr
        lost = missing(archiver, names)
        gaps = {name: one["gap_segments"] for name, one in checked(protected).items()}
    assert "success" == backup["outcome"], backup
    assert slow <= len(names) * SLOW_SHARE, f"{slow} of {len(names)} answers took longer"
    assert seconds <= GOAL_DRAIN_S
    assert {"eu": 0, "us": 0} == gaps, gaps
    told = f"{slow} of {len(names)} answers > 500 ms; {owed} owed paid in {seconds:.1f} s, 0 gaps"
    more = f"backup of eu {backup['seconds']} s beside {normal} s before"
    return Told(f"us: {how} for a whole backup of eu", told, seconds, lost, 2 * len(names), more)


def missing(archiver: Archiver, names: list[str]) -> int:
    """Return how many of these segments a region lacks, has twice, or has otherwise."""
    kept = [archiver.kept(name) for name in ("eu", "us")]
    archived = {name: [sha1(archiver.side / name)] for name in names}
    return sum(place.get(name, []) != archived[name] for name in names for place in kept)


def _through_a_backup(archiver: Archiver, least: int) -> tuple[list[str], dict[str, object]]:
    """Make segments, each awaited, until eu has its backup, and at least so many."""
    backup: dict[str, object] = {}

    def run() -> None:
        backup.update(made(archiver.protected, "--to", "eu", "--type", "full")["eu"])

    worker = threading.Thread(target=run)
    worker.start()
    names: list[str] = []
    while worker.is_alive() or len(names) < least:
        names += archiver.make_segments(1)
        time.sleep(PAUSE_S)
    worker.join()
    return names, backup


def new_timeline(protected: Protected) -> Told:
    """Promote the database; its log goes on, and the next backup is a full one."""
    database = protected.database
    with archiving(protected, "--metrics-port", "0") as archiver:
        made(protected, "--type", "full")
        scheduled(protected)
        before = archiver.make_segments(1)
        database.stop(signal.SIGINT)
        (database.data / "standby.signal").touch()
        database.settings["restore_command"] = f"{archiver.client} get %f %p"
        database.start()
        wait_until(lambda: database.sql("SELECT pg_is_in_recovery()") == "t", what="it recovers")
        _, seconds = timed(lambda: (database.sql("SELECT pg_promote()"), archiver.make_segments(1)))
        after = archiver.make_segments(1)
        database.sql("CHECKPOINT")
        assert ("00000001", "00000002") == (before[0][:8], after[0][:8])
        kinds = scheduled(protected)
        assert {"eu": "full", "us": "full"} == kinds
        found = checked(protected)
        assert {"eu": 0, "us": 0} == {name: one["gap_segments"] for name, one in found.items()}
        lost = missing(archiver, [*before, *after])
    told = f"archived {after[0]} and on; the next backups: full"
    return Told("pg_promote: timeline 1 to 2", told, seconds, lost, 4)
