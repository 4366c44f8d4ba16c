"""Real servers for tests: on loopback, on free ports, stopped by the process id we hold.

Each `start_*` returns a running server and is used as a context manager, so that a failing
test leaves nothing behind. Output goes to a file: a pipe that nobody reads would fill up.
"""

import os
import secrets
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from abops.stack.tools import find_tool

START_TIMEOUT_S = 60.0


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(
    claim: Callable[[], bool], *, timeout_s: float = START_TIMEOUT_S, what: str = "the condition"
) -> None:
    """Await `claim`; raise AssertionError with `what` when it is not true in time."""
    deadline = time.monotonic() + timeout_s
    while not claim():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {timeout_s:g} s")
        time.sleep(0.02)


def answers(url: str, status: int = 200) -> bool:
    """Tell whether a GET of `url` gives `status`."""
    try:
        with urlopen(url, timeout=2) as response:
            return bool(response.status == status)
    except (URLError, OSError):
        return False


def listens(port: int) -> bool:
    """Tell whether something accepts connections on `port`."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class Server:
    """A process that we started, and where it listens."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    stop_signal: int = signal.SIGTERM

    @property
    def url(self) -> str:
        """Return the server's address."""
        return f"http://127.0.0.1:{self.port}"

    def stop(self, *, sig: int | None = None) -> None:
        """Stop the process and wait for its end; kill it when it does not end in 20 s."""
        if self.process.poll() is not None:
            return
        self.process.send_signal(self.stop_signal if sig is None else sig)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)


@contextmanager
def running(
    argv: Sequence[str | Path],
    *,
    port: int,
    log: Path,
    ready: Callable[[], bool],
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stop_signal: int = signal.SIGTERM,
) -> Iterator[Server]:
    """Run `argv` until the block ends; enter it when `ready` is true."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [str(part) for part in argv],
            stdout=stream,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(env or {})},
            cwd=cwd,
        )
    server = Server(process, port, log, stop_signal)
    try:
        wait_until(lambda: process.poll() is not None or ready(), what=f"{argv[0]} ready")
        if process.poll() is not None:
            raise AssertionError(f"{argv[0]} ended at once:\n{log.read_text()[-2000:]}")
        yield server
    finally:
        server.stop()


@contextmanager
def start_redis(folder: Path, *, port: int | None = None) -> Iterator[Server]:
    """Run a Redis with its data in `folder`."""
    port = port or free_port()
    folder.mkdir(parents=True, exist_ok=True)
    argv = [find_tool("redis-server"), "--bind", "127.0.0.1", "--port", str(port)]
    argv += ["--dir", folder, "--save", "", "--daemonize", "no"]
    with running(argv, port=port, log=folder / "redis.log", ready=lambda: listens(port)) as server:
        yield server


@dataclass
class Postgres(Server):
    """A PostgreSQL cluster of its own, with one superuser."""

    user: str = "analytic"
    password: str = ""

    def dsn(self, database: str = "postgres", *, scheme: str = "postgresql") -> str:
        """Return the address of `database`, password included."""
        return f"{scheme}://{self.user}:{self.password}@127.0.0.1:{self.port}/{database}"


def _as_server_user() -> list[str]:
    """Return the prefix that drops root: initdb and postgres refuse to run as root."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"]


@contextmanager
def start_postgres(
    folder: Path, *, port: int | None = None, fsync: bool = False
) -> Iterator[Postgres]:
    """Run a PostgreSQL with a new cluster; `folder` gets its log. Tests need no `fsync`.

    Its data lie in a folder of their own: every new pytest session closes the ones of pytest to
    other users, and with that to the user of a PostgreSQL that still runs.
    """
    with (
        tempfile.TemporaryDirectory(prefix="abops-pg-", ignore_cleanup_errors=True) as home,
        _cluster(Path(home), folder, port or free_port(), fsync=fsync) as server,
    ):
        yield server


@contextmanager
def _cluster(home: Path, folder: Path, port: int, *, fsync: bool) -> Iterator[Postgres]:
    programs = find_tool("postgres").parent
    prefix, data, run = _as_server_user(), home / "data", home / "run"
    folder.mkdir(parents=True, exist_ok=True)
    home.chmod(0o711)
    password = secrets.token_urlsafe(12)
    password_file = home / "password"
    password_file.write_text(password)
    for made in (data, run):
        made.mkdir()
        made.chmod(0o700)
    if prefix:
        subprocess.run(["chown", "-R", "postgres:postgres", home], check=True)  # noqa: S607
    initdb = [programs / "initdb", "-D", data, "-U", "analytic", "-E", "UTF8", "--no-sync"]
    initdb += ["--locale=C.UTF-8", "-A", "scram-sha-256", f"--pwfile={password_file}"]
    subprocess.run([*prefix, *initdb], check=True, capture_output=True, cwd="/")
    argv = [*prefix, programs / "postgres", "-D", data, "-p", str(port), "-k", run]
    argv += ["-c", "listen_addresses=127.0.0.1", "-c", f"fsync={'on' if fsync else 'off'}"]
    argv += ["-c", "shared_preload_libraries=pg_stat_statements"]
    ready = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
    with running(
        argv,
        port=port,
        log=folder / "postgres.log",
        ready=lambda: subprocess.run(ready, check=False).returncode == 0,
        cwd=Path("/"),
        stop_signal=signal.SIGINT,
    ) as server:
        yield Postgres(
            server.process, port, server.log, signal.SIGINT, user="analytic", password=password
        )
