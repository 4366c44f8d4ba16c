"""A database and object-store regions that live for one rehearsal and are gone afterwards.

Everything is real: PostgreSQL with checksums, its log archived, SeaweedFS over TLS under an
authority of its own. As root the database is the user postgres's, as everywhere else. What is
started here is ended here, by its process id, also when a restored server took the place of the
first one meanwhile.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from abops.clients.postgres_server import running_pid, state_of
from abops.clients.postgres_session import SocketAddress
from abops.kernel.errors import OpsError
from abops.kernel.files import write_atomic
from abops.stack.certificates import make_certificates
from abops.stack.ports import HOST
from abops.stack.programs import POSTGRES_USER, drops_root, postgres_prefix, resolve
from abops.stack.regions import PORT_NAMES, Region, region_argv, write_identities
from abops.stack.tools import find_tool

SUPERUSER: Final = "analytic"
READY_WITHIN_S: Final = 60.0
_END_WITHIN_S: Final = 30.0
_STARTS: Final = 3
"""Ports that were free may be taken by the time a region listens."""
_POLL_S: Final = 0.05
_PATIENCE_S: Final = 2.0
_WELL: Final = b"HTTP/1.1 200"


class ThrowAwayError(OpsError):
    """A part of the throw-away setting did not start."""

    hint = "abops tools doctor says whether PostgreSQL, the engine and the object store are there."


@dataclass
class ThrowAwayRegion:
    """An object store. Killed it refuses connections; frozen it is a black hole."""

    name: str
    region: Region
    access_key: str
    secret_key: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        """Return where it speaks S3 over TLS."""
        return self.region.ports["s3-https"]

    @property
    def ca_file(self) -> Path:
        """Return the certificate of the authority that signed its own."""
        return self.region.certificates / "ca.crt"

    def start(self) -> None:
        """Start it and wait until it answers. Raises ThrowAwayError."""
        folder = self.region.folder
        for made in (folder, folder / "logs", folder / "tmp"):
            made.mkdir(parents=True, exist_ok=True)
        self.process = _spawn(
            resolve(region_argv(self.region)),
            folder / "region.log",
            environment={**os.environ, "TMPDIR": str(folder / "tmp")},
        )
        process, port = self.process, self.region.ports["s3"]
        _until(lambda: _answers(port) or process.poll() is not None, f"region {self.name}")
        if process.poll() is not None:
            raise ThrowAwayError(f"region {self.name} ended at once")

    def kill(self) -> None:
        """End it at once: what it has acknowledged is there after a start."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(_END_WITHIN_S)
            self.process = None

    def freeze(self) -> None:
        """Let it accept connections and answer nothing."""
        if self.process is not None:
            self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on after `freeze`."""
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)


R = TypeVar("R", bound=ThrowAwayRegion)


@contextmanager
def throw_away_regions(*names: str) -> Iterator[dict[str, ThrowAwayRegion]]:
    """Run a region for each name until the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="abops-regions-"))
    try:
        with regions_in(folder, *names, kind=ThrowAwayRegion) as regions:
            yield regions
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def regions_in(folder: Path, *names: str, kind: type[R]) -> Iterator[dict[str, R]]:
    """Run a region for each name in a folder, with one authority of their own."""
    regions: dict[str, R] = {}
    try:
        folder.chmod(0o755)
        make_certificates(folder / "tls")
        for name in names:
            regions[name] = _start_region(folder, name, kind)
        yield regions
    finally:
        for region in regions.values():
            region.kill()


def _start_region(folder: Path, name: str, kind: type[R]) -> R:
    key, secret = f"key-{secrets.token_hex(6)}", secrets.token_urlsafe(24)
    identities = folder / f"{name}.json"
    write_identities(identities, key, secret)
    for left in reversed(range(_STARTS)):
        ports = dict(zip(PORT_NAMES, free_ports(len(PORT_NAMES)), strict=True))
        region = Region(folder / name, ports, folder / "tls", identities)
        server = kind(name, region, key, secret)
        try:
            server.start()
        except ThrowAwayError:
            server.kill()
            if not left:
                raise
        else:
            break
    return server


@dataclass
class ThrowAwayDatabase:
    """A cluster whose settings lie in its own files, so that a restored copy starts like it."""

    folder: Path
    port: int
    settings: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    """The server that was started here; another may have taken its place."""

    @property
    def data(self) -> Path:
        """Return its data folder."""
        return self.folder / "data"

    @property
    def address(self) -> SocketAddress:
        """Return where it listens: in a folder that only its owner may pass."""
        return SocketAddress(folder=self.folder / "run", port=self.port, user=SUPERUSER)

    @property
    def programs(self) -> Path:
        """Return the folder of its programs."""
        return find_tool("postgres").resolve().parent

    def make(self) -> None:
        """Make the cluster. Raises ThrowAwayError."""
        self.folder.chmod(0o711)
        for made in (self.data, self.folder / "run"):
            made.mkdir(mode=0o700)
        give_to_database(self.folder)
        words = ("-U", SUPERUSER, "-E", "UTF8", "-A", "trust", "--locale=C.UTF-8")
        self.call(
            self.programs / "initdb", "-D", self.data, *words, "--no-sync", "--data-checksums"
        )
        own = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.address.folder),
            "port": str(self.port),
            "wal_level": "replica",
            "archive_mode": "on",
            "shared_buffers": "64MB",
            **self.settings,
        }
        lines = "".join(f"{name} = '{value}'\n" for name, value in own.items())
        config = self.data / "postgresql.conf"
        write_atomic(config, config.read_text() + lines, mode=0o600)
        give_to_database(config)

    def start(self) -> None:
        """Start it and wait until it takes writes. Raises ThrowAwayError."""
        argv = [*postgres_prefix(), str(self.programs / "postgres"), "-D", str(self.data)]
        process = self.process = _spawn(argv, self.folder / "postgres.log")
        _until(lambda: state_of(self.data) == "ready" or process.poll() is not None, "PostgreSQL")
        if process.poll() is not None:
            raise ThrowAwayError("PostgreSQL ended at once")

    def kill(self) -> None:
        """End whatever server runs on the data folder, at once."""
        pid = running_pid(self.data)
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGQUIT)
        if self.process is not None and self.process.pid == pid:
            # Until somebody asks how it ended, it is still there.
            self.process.wait(_END_WITHIN_S)
        _until(lambda: running_pid(self.data) is None, "the end of PostgreSQL")

    def call(self, *words: str | Path) -> str:
        """Run a program as the owner of the database; return what it printed."""
        argv = [*postgres_prefix(), *map(str, words)]
        done = subprocess.run(argv, check=False, capture_output=True, text=True, cwd="/")  # noqa: S603 - our own words
        if done.returncode != 0:
            name, told = Path(words[0]).name, done.stderr.strip()
            raise ThrowAwayError(f"{name} ended with {done.returncode}: {told}")
        return done.stdout


@contextmanager
def throw_away_database(**settings: str) -> Iterator[ThrowAwayDatabase]:
    """Run a database until the block ends, in a folder that its user can reach."""
    folder = Path(tempfile.mkdtemp(prefix="abops-db-"))
    database = ThrowAwayDatabase(folder, free_ports(1)[0], settings)
    try:
        database.make()
        database.start()
        yield database
    finally:
        database.kill()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def background(argv: Sequence[str], log: Path, environment: Mapping[str, str]) -> Iterator[int]:
    """Run a program until the block ends; yield its process id."""
    process = _spawn(argv, log, environment=environment)
    try:
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(_END_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def give_to_database(*paths: Path) -> None:
    """Make files and folders the database owner's when we are root."""
    if not drops_root():
        return
    for path in paths:
        for one in (path, *path.rglob("*")):
            shutil.chown(one, POSTGRES_USER, POSTGRES_USER)


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on: held together, so that they differ."""
    with ExitStack() as stack:
        held = [stack.enter_context(socket.create_server((HOST, 0))) for _ in range(count)]
        return [int(one.getsockname()[1]) for one in held]


def _spawn(
    argv: Sequence[str], log: Path, *, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    with log.open("ab") as stream:
        return subprocess.Popen(  # noqa: S603 - our own words
            argv,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            cwd="/",
            env=None if environment is None else dict(environment),
            start_new_session=True,
        )


def _answers(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=_PATIENCE_S) as line:
            line.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return line.recv(len(_WELL)) == _WELL
    except OSError:
        return False


def _until(claim: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while not claim():
        if time.monotonic() > deadline:
            raise ThrowAwayError(f"{what}: waited {READY_WITHIN_S:.0f} s")
        time.sleep(_POLL_S)
