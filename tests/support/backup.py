"""A throw-away database that is protected in object stores of this machine, for tests.

Two SeaweedFS regions serve a whole session; each module gets a PostgreSQL and buckets of its own.
PostgreSQL runs as its own user when we are root, and so does everything that touches its files.
"""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from abops.backup.model import Destination, Home, Site
from abops.backup.postgres.site import load_site
from abops.clients.pgbackrest import Engine
from abops.stack.programs import postgres_prefix
from abops.stack.throwaway import ThrowAwayRegion, regions_in
from abops.stack.tools import find_tool
from support.servers import free_port, wait_until

ROOT = Path(__file__).parents[2]
SUPERUSER = "analytic"
ABOPS = Path(sys.executable).with_name("abops")


def run_as_owner(*words: str | Path, timeout_s: float = 60) -> str:
    """Run a program as the owner of the database's files; return what it printed."""
    done = subprocess.run(
        [*postgres_prefix(), *map(str, words)],
        check=False,
        capture_output=True,
        text=True,
        cwd="/",
        timeout=timeout_s,
    )
    assert done.returncode == 0, f"{words[0]} ended with {done.returncode}: {done.stderr}"
    return done.stdout


def give_to_owner(*paths: Path) -> None:
    """Make files the database owner's when we are root."""
    if postgres_prefix():
        for path in paths:
            run = ["chown", "-R", "postgres:postgres", path]
            subprocess.run(run, check=True)


class StoreServer:
    """An object store that runs here. It may be killed, stopped, continued, started again."""

    process: subprocess.Popen[bytes] | None

    @property
    def keys(self) -> Mapping[str, str]:
        """What a file of credentials for it says."""
        raise NotImplementedError

    def place(self, container: str) -> dict[str, object]:
        """Return where a bucket or container in it is, in the words of a file of endpoints."""
        raise NotImplementedError

    def start(self) -> None:
        """Start it and wait until it answers."""
        raise NotImplementedError

    def kill(self) -> None:
        """End it at once: what it acknowledged is there after a start. Connections are refused."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            self.process = None

    def freeze(self) -> None:
        """Make it a black hole: it accepts connections and answers nothing."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on after `freeze`."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def ensure(self) -> None:
        """Have it running again, whatever a test did to it."""
        if self.process is None or self.process.poll() is not None:
            self.start()
        else:
            self.thaw()


class RegionServer(ThrowAwayRegion, StoreServer):
    """One object-store region that speaks S3."""

    @property
    def keys(self) -> Mapping[str, str]:
        return {"access_key": self.access_key, "secret_key": self.secret_key}

    def place(self, container: str) -> dict[str, object]:
        at = {"endpoint": "localhost", "port": self.port, "ca_file": str(self.ca_file)}
        return {**at, "container": container}


@contextmanager
def start_regions(folder: Path, *names: str) -> Iterator[dict[str, RegionServer]]:
    """Run a region for each name, with one authority of their own."""
    with regions_in(folder, *names, kind=RegionServer) as regions:
        yield regions


def clients() -> Path:
    """Return the folder of psql, pg_isready, pgbench."""
    return find_tool("postgres").resolve().parent


@dataclass
class Database:
    """A throw-away cluster whose log is archived as soon as `archive_command` says how."""

    folder: Path
    port: int
    settings: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    """What its processes see besides: a clock of their own."""
    process: subprocess.Popen[bytes] | None = None
    server: Path | None = None
    """Folder of initdb and postgres, when it is another version than the clients'."""
    log_volume: Path | None = None
    """Where its write-ahead log lies, when it has a volume of its own."""

    @property
    def programs(self) -> Path:
        return self.server or clients()

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def socket(self) -> Path:
        return self.folder / "run"

    @property
    def log(self) -> Path:
        return self.folder / "postgres.log"

    def make(self) -> None:
        """Make the cluster, with checksums, without passwords on its own socket."""
        self.folder.chmod(0o711)
        for made in (self.data, self.socket):
            made.mkdir()
            made.chmod(0o700)
        give_to_owner(self.folder)
        run_as_owner(
            *(
                self.programs / "initdb",
                "-D",
                self.data,
                "-U",
                SUPERUSER,
                "-E",
                "UTF8",
                "-A",
                "trust",
            ),
            *("--locale=C.UTF-8", "--no-sync", "--data-checksums"),
            *(("-X", self.log_volume / "pg_wal") if self.log_volume else ()),
        )

    def start(self) -> None:
        """Start it and wait until it answers."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket),
            "port": str(self.port),
            "fsync": "off",
            "wal_level": "replica",
            "archive_mode": "on",
            "archive_timeout": "60s",
            **self.settings,
        }
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        seen = [f"{name}={value}" for name, value in self.environment.items()]
        prefix = [*postgres_prefix(), "env", *seen]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*prefix, str(self.programs / "postgres"), "-D", str(self.data), *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
            )
        ready = [clients() / "pg_isready", "-q", "-h", self.socket, "-p", str(self.port)]
        wait_until(
            lambda: subprocess.run(ready, check=False).returncode == 0, what="PostgreSQL ready"
        )

    def stop(self, sig: signal.Signals = signal.SIGQUIT) -> None:
        """Stop it; by default at once, for nobody archives the last segment of a throw-away."""
        if self.process is None:
            return
        self.process.send_signal(sig)
        self.process.wait(60)
        self.process = None

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run statements and return what they give, unaligned."""
        return run_as_owner(
            *(clients() / "psql", "-X", "-h", self.socket, "-p", str(self.port), "-U", SUPERUSER),
            *("-d", database, "-Atq", "-v", "ON_ERROR_STOP=1", "-c", statement),
        ).strip()

    def fill(self, scale: int = 1) -> None:
        """Put pgbench's tables in; a scale is 100,000 accounts, 15 MB."""
        run_as_owner(
            *(clients() / "pgbench", "-i", "-q", "-s", str(scale), "-h", self.socket),
            *("-p", str(self.port), "-U", SUPERUSER, "postgres"),
        )

    def dsn(self, database: str = "postgres") -> str:
        """Return the address of `database`; only its owner's programs reach the socket."""
        return f"host={self.socket} port={self.port} user={SUPERUSER} dbname={database}"


@contextmanager
def start_database(
    server: Path | None = None, log_volume: Path | None = None, /, **settings: str
) -> Iterator[Database]:
    """Run a throw-away cluster in a folder that its user can reach."""
    folder = Path(tempfile.mkdtemp(prefix="abops-db-"))
    database = Database(folder, free_port(), dict(settings), server=server, log_volume=log_volume)
    try:
        database.make()
        database.start()
        yield database
    finally:
        database.stop()
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Protected:
    """A database, its home, and the regions where its copies go."""

    database: Database
    home: Home
    regions: Mapping[str, RegionServer]
    endpoints: Path
    keys: Path
    other_engine: Path | None = None

    @property
    def site(self) -> Site:
        return load_site(self.home)

    @property
    def engine(self) -> Engine:
        """The engine, for a test that runs as root beside the owner."""
        return Engine(self.site.engine, prefix=postgres_prefix())

    def destination(self, name: str) -> Destination:
        return next(place for place in self.site.destinations if place.name == name)

    def config(self, name: str) -> Path:
        """Return the engine's configuration of a destination."""
        place = self.destination(name)
        return self.home.engine(place.name, place.generation)

    def abops(
        self, *words: str | Path, timeout_s: float = 120, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `abops backup ...` on this home."""
        return backup_command(*words, "--home", self.home.folder, timeout_s=timeout_s, env=env)

    def archive_directly(self, *names: str) -> None:
        """Have PostgreSQL push each segment itself, to all of these destinations or none."""
        engine = self.site.engine
        pushes = (
            f"{engine} --config={self.config(name)} --stanza={self.site.stanza} archive-push %p"
            for name in names
        )
        self.database.sql(f"ALTER SYSTEM SET archive_command = '{' && '.join(pushes)}'")
        self.database.sql("SELECT pg_reload_conf()")

    def switch(self) -> str:
        """End the current WAL segment and return its name once it was archived."""
        name = self.database.sql("SELECT pg_walfile_name(pg_current_wal_lsn())")
        self.database.sql(
            "SELECT pg_logical_emit_message(false, 'test', 'x'); SELECT pg_switch_wal()"
        )
        wait_until(lambda: self.archived() >= name[8:], what=f"{name} archived")
        return name

    def archived(self) -> str:
        """Return the position of the last archived segment, without its timeline."""
        told = "SELECT coalesce(last_archived_wal, '') FROM pg_stat_archiver"
        return self.database.sql(told)[8:24]


def backup_command(
    *words: str | Path, timeout_s: float = 120, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `abops backup ...` as a person would."""
    return subprocess.run(
        [ABOPS, "backup", *map(str, words)],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        timeout=timeout_s,
    )


@contextmanager
def protect(
    regions: Mapping[str, RegionServer],
    *,
    names: Sequence[str] = (),
    beside: Mapping[str, StoreServer] | None = None,
    server: Path | None = None,
    engine: Path | None = None,
    log_volume: Path | None = None,
    **settings: str,
) -> Iterator[Protected]:
    """Run a database and begin to protect it, in buckets of its own.

    `beside`: other stores than regions; `server`, `engine`: other versions than the usual;
    `log_volume`: where the log lies, when that is a volume of its own.
    """
    with start_database(server, log_volume, **settings) as database:
        servers: dict[str, StoreServer] = {**regions, **(beside or {})}
        chosen = tuple(names) or tuple(servers)
        mark = secrets.token_hex(4)
        keys = database.folder / "keys"
        keys.mkdir(mode=0o700)
        places = {}
        for name in chosen:
            server = servers[name]
            (keys / f"backup-{name}.json").write_text(json.dumps(dict(server.keys)))
            places[name] = server.place(f"backup-{name}-{mark}")
        endpoints = database.folder / "endpoints.json"
        endpoints.write_text(json.dumps(places))
        home = Home(database.folder / "home")
        protected = Protected(database, home, regions, endpoints, keys, engine)
        done = begin(protected, *chosen)
        assert done.returncode == 0, done.stderr + done.stdout
        yield protected


def begin(protected: Protected, *names: str) -> subprocess.CompletedProcess[str]:
    """Run `abops backup init` for these destinations."""
    words: list[str | Path] = ["init", "--data", protected.database.data, "--make-buckets"]
    words += ["--endpoints", protected.endpoints, "--secrets", protected.keys]
    words += ["--superuser", SUPERUSER, "--programs", protected.database.programs]
    words += ["--engine", protected.other_engine] if protected.other_engine else []
    words += [word for name in names for word in ("--destination", name)]
    return protected.abops(*words)


@pytest.fixture(scope="session")
def regions() -> Iterator[dict[str, RegionServer]]:
    """Two regions for the whole session: each module's buckets are its own."""
    folder = Path(tempfile.mkdtemp(prefix="abops-regions-"))
    try:
        with start_regions(folder, "eu", "us") as servers:
            yield servers
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def protected(regions: dict[str, RegionServer]) -> Iterator[Protected]:
    """A protected database whose log goes to both regions, for the tests of a module."""
    for region in regions.values():
        region.ensure()
    with protect(regions) as one:
        one.archive_directly("eu", "us")
        yield one
