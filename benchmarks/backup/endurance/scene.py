"""The scene of the endurance: a database under writes, its archiver, its scheduler, two regions.

Each process has somebody who starts it again when it ends, as a supervisor would. All that is on
the database's volume is on a small one of its own when we may mount it, so that it can be full.
"""

import json
import os
import secrets
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from rig import regions_of

# isort: split
from judging import Attempted

from abops.kernel.files import write_atomic
from abops.stack.programs import postgres_prefix
from abops.stack.tools import find_tool
from support.backup import ABOPS, Database, Protected, RegionServer, give_to_owner, protect

SCHEDULER = Path(__file__).with_name("quick_scheduler.py")
AGAIN_AFTER_S = 1.0
VOLUME_MB = 1_500
RETRY_AFTER_S = (1.0, 5.0, 25.0)
"""Of the timetable: minutes there, seconds here."""


class Supervised:
    """A process that is started again whenever it ends."""

    def __init__(self, name: str, begin: Callable[[], subprocess.Popen[bytes]]) -> None:
        self.name, self._begin = name, begin
        self.process = begin()
        self.starts = 1
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._run, name=name, daemon=True)
        self._watch.start()

    def _run(self) -> None:
        while not self._over.wait(0.2):
            if self.process.poll() is None:
                continue
            if self._over.wait(AGAIN_AFTER_S):
                return
            # Its port, its memory or the disk may not be free yet: then the next round tries.
            with suppress(AssertionError, OSError):
                self.process = self._begin()
                self.starts += 1

    def kill(self) -> None:
        """End it at once; it comes back."""
        self.process.kill()

    def stop(self, *, politely: bool = True) -> None:
        """End it for good."""
        self._over.set()
        self._watch.join(30)
        with suppress(ProcessLookupError):
            self.process.terminate() if politely else self.process.kill()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)


class Writer:
    """Writes rows one after the other and remembers which COMMIT was answered."""

    def __init__(self, database: Database, seed: int) -> None:
        self._database, self._seed = database, seed
        self.acknowledged: list[int] = []
        self.refused = 0
        self._over = threading.Event()
        database.sql(
            "CREATE TABLE written (id bigint PRIMARY KEY, at timestamptz DEFAULT clock_timestamp(),"
            " body text NOT NULL)"
        )
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        number = 0
        while not self._over.is_set():
            try:
                with psycopg.connect(self._database.dsn(), connect_timeout=5) as connection:
                    while not self._over.wait(0.05):
                        number += 1
                        connection.execute(
                            "INSERT INTO written VALUES (%s, DEFAULT, %s)",
                            (number, secrets.token_hex(1_000)),
                        )
                        connection.execute(
                            "UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = %s",
                            (number * 7_919 % 100_000 + 1,),
                        )
                        connection.commit()
                        self.acknowledged.append(number)
            except psycopg.Error:
                self.refused += 1
                self._over.wait(0.5)

    def stop(self) -> None:
        """Stop writing."""
        self._over.set()
        self._thread.join(60)


@dataclass
class Damage:
    """An object that was damaged, and what it was before."""

    destination: str
    label: str
    path: str
    content: bytes
    found: bool = False
    """Whether the catalog called its set broken."""


@dataclass
class Scene:
    """Everything that runs."""

    protected: Protected
    folder: Path
    """Outside of the database's volume."""
    every_s: int
    volume: Path | None = None
    """The database's own, when there is one."""
    damages: list[Damage] = field(default_factory=list)
    postmaster: Supervised = field(init=False)
    archiver: Supervised = field(init=False)
    scheduler: Supervised = field(init=False)
    writer: Writer = field(init=False)
    _database: list[str] = field(default_factory=list)

    @property
    def handed(self) -> Path:
        """Where the hash of each segment is noted before it is handed over."""
        return self.folder / "handed"

    def begin(self, seed: int) -> None:
        """Start everything; the first full sets are made by the timetable as well."""
        base = self.protected.database
        base.fill()
        self.handed.touch()
        give_to_owner(self.folder)
        client = self.protected.home.programs / "pgbackrest-wal"
        note = f"echo %f $(sha1sum < %p | cut -c1-40) >> {self.handed}"
        self.archiver = Supervised("archiver", self._archiver)
        base.sql(f"ALTER SYSTEM SET archive_command = '{note} && {client} push %p'")
        base.sql("SELECT pg_reload_conf()")
        process = base.process
        assert process is not None  # noqa: S101 - it runs
        running = [process]
        told = Path(f"/proc/{process.pid}/cmdline").read_bytes().rstrip(b"\0")
        self._database = [word.decode() for word in told.split(b"\0")]
        self.postmaster = Supervised(
            "postmaster", lambda: running.pop() if running else self._postmaster()
        )
        self.writer = Writer(base, seed)
        self._timetable()

    def schedule(self) -> None:
        """Start the scheduler."""
        self.scheduler = Supervised("scheduler", self.another_scheduler)

    def another_scheduler(self) -> subprocess.Popen[bytes]:
        """Start a scheduler that nobody starts again."""
        return self._popen([sys.executable, SCHEDULER, self.protected.home.folder], "scheduler")

    def _archiver(self) -> subprocess.Popen[bytes]:
        home = self.protected.home.folder
        argv = [ABOPS, "backup", "wal", "serve", "--metrics-port", "0", "--home", home]
        return self._popen(argv, "archiver")

    def _popen(self, argv: list[str | Path], name: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - our own programs
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder
            )

    def _postmaster(self) -> subprocess.Popen[bytes]:
        """Start the database as it was started; whoever needs it waits for it."""
        base = self.protected.database
        with base.log.open("ab") as log:
            base.process = subprocess.Popen(  # noqa: S603 - what ran before
                [*postgres_prefix(), *self._database],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
            )
        return base.process

    def _timetable(self) -> None:
        every = self.every_s
        self.change_site(
            schedule={
                "full": f"{every * 8}s",
                "incr": f"{every}s",
                "verify": f"{every * 6}s",
                "drill": "1d",
                "config_every_s": 86_400.0,
                "tz": "UTC",
                "retry_after_s": RETRY_AFTER_S,
            }
        )

    def change_site(self, **values: object) -> None:
        """Change what the home says, in one step."""
        path = self.protected.home.site
        write_atomic(path, json.dumps(json.loads(path.read_text()) | values), mode=0o600)
        give_to_owner(path)

    def runs(self) -> list[Attempted]:
        """Return the runs that the catalog has; none while it cannot tell."""
        rows = self.asked(f"SELECT {', '.join(Attempted._fields)} FROM run")  # noqa: S608 - ours
        return [Attempted(*row) for row in rows]

    def asked(self, question: str) -> list[tuple[Any, ...]]:
        """Ask the catalog; nothing while it cannot tell."""
        path = self.protected.home.catalog
        if not path.is_file():  # who made it would be its owner
            return []
        with (
            suppress(sqlite3.OperationalError),
            closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as catalog,
        ):
            return catalog.execute(question).fetchall()
        return []

    def under_way(self) -> bool:
        """Tell whether a backup is being made."""
        return any(run.state == "running" and run.kind in {"full", "incr"} for run in self.runs())

    def engines(self) -> list[int]:
        """Return the processes of the engine that belong to this home."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                words = path.read_bytes().split(b"\0")
                told = f"--config={self.protected.home.folder}".encode()
                if any(word.startswith(told) for word in words) and words[-2] == b"backup":
                    found.append(int(path.parent.name))
        return found

    def end(self) -> None:
        """Stop everything but the database and the archiver."""
        self.scheduler.stop()
        self.writer.stop()

    def close(self) -> None:
        """Stop what is left."""
        for name in ("scheduler", "postmaster", "archiver"):
            one = getattr(self, name, None)
            if one is not None:
                one.stop(politely=name != "postmaster")
        if hasattr(self, "writer"):
            self.writer.stop()


@contextmanager
def scene_of(every_s: int) -> Iterator[Scene]:
    """Set the scene and take it away again."""
    with ExitStack() as stack:
        regions = stack.enter_context(regions_of("eu", "us"))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="abops-endure-")))
        folder.chmod(0o755)
        volume = stack.enter_context(_volume(folder))
        protected = stack.enter_context(_protected(regions, volume))
        scene = Scene(protected, folder, every_s, volume)
        stack.callback(scene.close)
        yield scene


@contextmanager
def _protected(regions: Mapping[str, RegionServer], volume: Path | None) -> Iterator[Protected]:
    before = tempfile.tempdir
    tempfile.tempdir = str(volume) if volume else before
    try:
        with protect(
            regions, archive_timeout="10s", max_wal_size="192MB", min_wal_size="80MB"
        ) as protected:
            tempfile.tempdir = before
            yield protected
    finally:
        tempfile.tempdir = before


@contextmanager
def _volume(folder: Path) -> Iterator[Path | None]:
    """Mount a small volume; None when we may not."""
    if os.geteuid() != 0:
        yield None
        return
    volume = folder / "volume"
    volume.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={VOLUME_MB}m,mode=0755", "tmpfs", str(volume)]
    if subprocess.run(mounting, check=False, capture_output=True).returncode:  # noqa: S603 - ours
        yield None
        return
    try:
        yield volume
    finally:
        subprocess.run(["umount", "-l", str(volume)], check=False)  # noqa: S603, S607 - ours


def until_slot(every_s: int, now: Callable[[], float]) -> float:
    """Wait for the next time that the timetable names; return it."""
    slot = (now() // every_s + 1) * every_s
    time.sleep(max(slot - now(), 0))
    return slot


def faked(minutes: int) -> dict[str, str]:
    """Return the environment in which a program sees another time."""
    words = [str(find_tool("faketime")), "-f", "+0", "printenv", "LD_PRELOAD"]
    library = subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603 - ours
    return {
        "LD_PRELOAD": library,
        "FAKETIME": f"{minutes:+d}m",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
