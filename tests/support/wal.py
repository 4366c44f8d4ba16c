"""The archiver of a protected database, for tests: run, killed at a step, asked, compared."""

import asyncio
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from abops.backup.wal.queue import queue_folder
from abops.clients.exposition import scrape
from abops.stack.programs import postgres_prefix
from support.backup import ABOPS, ROOT, Protected, give_to_owner
from support.servers import free_port, wait_until

DYING = Path(__file__).with_name("dying_archiver.py")


@dataclass
class Archiver:
    """A running `abops backup wal serve`, what PostgreSQL gave it, and what came of it."""

    protected: Protected
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    words: Sequence[str] = field(default_factory=tuple)

    @property
    def side(self) -> Path:
        """Copies of what PostgreSQL archived, made before anything of ours saw it."""
        return self.protected.database.folder / "side"

    @property
    def client(self) -> Path:
        return self.protected.home.programs / "pgbackrest-wal"

    @property
    def queue(self) -> Path:
        return queue_folder(self.protected.home, self.protected.site.cluster)

    @property
    def log(self) -> Path:
        return self.protected.database.folder / "archiver.log"

    def start(self, *, dies_at: str = "") -> None:
        """Run it and wait until it serves; `dies_at`: it is killed the first time it gets there."""
        home = self.protected.home.folder
        argv: list[str | Path] = [ABOPS, "backup", "wal", "serve", "--home", home, *self.words]
        if dies_at:
            argv = [sys.executable, DYING, home, dies_at]
        if "--metrics-port" not in argv and not dies_at:
            argv += ["--metrics-port", "0"]
        self.starts += 1
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT
            )
        wait_until(lambda: self.ended or self.status() is not None, what="archiver serves")

    @property
    def ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            self.process = None

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        code = self.process.wait(20)
        self.process = None
        return code

    def status(self) -> dict[str, Any] | None:
        """Return what `wal status` tells, by destination; None when nobody answers."""
        done = self.protected.abops("wal", "status", "--output", "json")
        return {one["destination"]: one for one in json.loads(done.stdout)} if done.stdout else None

    def owed(self, name: str) -> list[str]:
        """Return the files owed to a destination, by name."""
        return sorted(path.name for path in (self.queue / "owed" / name).iterdir())

    def client_run(self, *words: str | Path, cwd: Path | None = None) -> subprocess.Popen[str]:
        """Start PostgreSQL's program, as PostgreSQL would."""
        return subprocess.Popen(
            [*postgres_prefix(), self.client, *words],
            cwd=cwd or self.protected.database.data,
            stderr=subprocess.PIPE,
            text=True,
        )

    def push(self, name: str) -> tuple[int, str]:
        """Push a file of the log; return exit code and what was said."""
        return finish(self.client_run("push", f"pg_wal/{name}"))

    @property
    def fetched(self) -> Path:
        """Where `get` puts a file."""
        return self.protected.database.data / "pg_wal" / "RECOVERYXLOG"

    def get(self, name: str, *destinations: str) -> tuple[int, str]:
        """Fetch a file as a recovery would; return exit code and what was said."""
        self.fetched.unlink(missing_ok=True)
        return finish(self.client_run("get", name, "pg_wal/RECOVERYXLOG", *destinations))

    def slow_answers(self, bound: str = "0.5") -> int:
        """Return how many segments were answered for later than after these seconds."""
        page = scrape(f"http://127.0.0.1:{self.words[-1]}/metrics")
        families = {one.name: one for one in text_string_to_metric_families(page)}
        kept = [
            sample
            for sample in families["abops_backup_wal_answer_seconds"].samples
            if sample.labels.get("result") == "kept" and sample.name.endswith("_bucket")
        ]
        counts = {sample.labels["le"]: int(sample.value) for sample in kept}
        assert counts["+Inf"] > 0
        return counts["+Inf"] - counts[bound]

    def keep_segments(self, count: int) -> list[str]:
        """Make segments that PostgreSQL does not archive; copies of them lie aside."""
        database = self.protected.database
        database.sql("ALTER SYSTEM SET archive_command = 'false # pgbackrest'")
        database.sql("SELECT pg_reload_conf()")
        names = self.make_segments(count, wait=False)
        for name in names:
            source, target = database.data / "pg_wal" / name, self.side / name
            target.write_bytes(source.read_bytes())
        give_to_owner(self.side)
        return names

    def use(self) -> None:
        """Have PostgreSQL archive by it, and keep a copy of each file aside first."""
        database = self.protected.database
        self.side.mkdir(exist_ok=True)
        give_to_owner(self.side)
        aside = f"(test -f {self.side}/%f || cp %p {self.side}/%f)"
        database.sql(f"ALTER SYSTEM SET archive_command = '{aside} && {self.client} push %p'")
        database.sql("SELECT pg_reload_conf()")

    def make_segments(self, count: int, *, wait: bool = True) -> list[str]:
        """End so many segments, each with other content; return their names."""
        database = self.protected.database
        write = "SELECT pg_logical_emit_message(false, 'test', repeat(random()::text, 20000))"
        name = "SELECT pg_walfile_name(pg_switch_wal())"
        names = [database.sql(f"{write}; {name}").splitlines()[-1] for _ in range(count)]
        if wait:
            self.wait_for(names[-1])
        return names

    def wait_for(self, name: str) -> None:
        """Await that PostgreSQL was told that a segment is kept."""
        wait_until(lambda: self.is_archived(name), what=f"{name} archived")

    def is_archived(self, name: str) -> bool:
        if (self.protected.database.data / f"pg_wal/archive_status/{name}.done").exists():
            return True
        told = "SELECT coalesce(last_archived_wal, '') FROM pg_stat_archiver"
        # An ending (.partial) comes before the segment of that place on the next timeline.
        return self.protected.database.sql(told) >= name

    def compare(self, destination: str, names: Sequence[str]) -> None:
        """Claim that a destination has each of these files once, as PostgreSQL archived it."""
        kept = self.kept(destination)
        archived = {name: [sha1(self.side / name)] for name in names}
        assert archived == {name: kept.get(name, []) for name in names}

    def kept(self, destination: str) -> Mapping[str, list[str]]:
        """Return the SHA-1 of each segment that a destination has, by name."""
        protected = self.protected
        listing = protected.engine.ls(protected.config(destination), "archive/main")
        found: dict[str, list[str]] = {}
        for entry in asyncio.run(listing):
            name, _, rest = Path(entry.path).name.rpartition("-")
            if entry.kind == "file" and name[:24].isalnum() and len(rest.split(".")[0]) == 40:
                found.setdefault(name, []).append(rest.split(".")[0])
        return found


def sha1(path: Path) -> str:
    return hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest()


def finish(process: subprocess.Popen[str], timeout_s: float = 60) -> tuple[int, str]:
    """Wait for a program; return its exit code and what it said."""
    _, said = process.communicate(timeout=timeout_s)
    return process.returncode, said


@contextmanager
def archiving(protected: Protected, *words: str) -> Iterator[Archiver]:
    """Run the archiver of a protected database until the block ends."""
    archiver = Archiver(protected, words=words)
    try:
        archiver.start()
        archiver.use()
        yield archiver
    finally:
        protected.archive_directly()
        archiver.kill()


@contextmanager
def cut_off(protected: Protected, *names: str) -> Iterator[None]:
    """Have nobody answer where these destinations were: the engine is sent to a closed port.

    A region that was killed takes 16 s to come back; this one is back at once.
    """
    texts = {path: path.read_text() for path in map(protected.config, names)}
    for path, text in texts.items():
        closed = re.sub(r"(?m)^repo1-storage-port=.*$", f"repo1-storage-port={free_port()}", text)
        assert closed != text
        path.write_text(closed)
    try:
        yield
    finally:
        for path, text in texts.items():
            path.write_text(text)


def change_rules(protected: Protected, **rules: object) -> None:
    """Change the rules of the log in the home's site file."""
    site = json.loads(protected.home.site.read_text())
    site["wal"] |= rules
    protected.home.site.write_text(json.dumps(site))
    os.chown(protected.home.site, *_owner(protected.home.folder))


def _owner(path: Path) -> tuple[int, int]:
    at = path.stat()
    return at.st_uid, at.st_gid
