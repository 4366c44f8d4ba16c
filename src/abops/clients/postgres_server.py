"""A PostgreSQL server of our own making: started on a folder, watched, stopped.

Its log goes to a file that is read while it is written: what a restored server complains about is
the first thing that one must know. Whether it is ready is read from its own pid file; asking it
would write refusals into that very log.
"""

import asyncio
import os
import re
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

from abops.clients.postgres_session import SocketAddress
from abops.kernel.errors import OpsError

State = Literal["starting", "standby", "ready", "ended"]
PID_FILE: Final = "postmaster.pid"
_STATE_LINE: Final = 7
_POLL_S: Final = 0.03
# A session that has not quite ended when we stop the server in order is sent away by a FATAL.
_COMPLAINT: Final = re.compile(
    r"\b(?:FATAL|PANIC):\s*(?!\s|terminating .* due to administrator command)(.*)"
)
_QUIET: Final = ("listen_addresses=", "logging_collector=off", "log_destination=stderr")
_SHUTDOWN_S: Final = 60.0


class ServerStartError(OpsError):
    """The restored server did not come up."""

    hint = "Its log says why; the folder is still there."


class PostgresServer:
    """One server on one data folder, reached by its socket only."""

    def __init__(
        self,
        programs: Path,
        data: Path,
        log: Path,
        *,
        address: SocketAddress,
    ) -> None:
        self._programs = programs
        self.data = data
        self.log = log
        self.address = address
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, settings: Mapping[str, str]) -> int:
        """Start it with these settings over those of its files; return its process id."""
        own = {
            "port": str(self.address.port),
            "unix_socket_directories": str(self.address.folder),
        }
        words = [f"{name}={value}" for name, value in {**own, **settings}.items()]
        flags = [word for setting in (*_QUIET, *words) for word in ("-c", setting)]
        with self.log.open("ab") as stream:
            self._process = await asyncio.create_subprocess_exec(
                self._programs / "postgres",
                "-D",
                self.data,
                *flags,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                cwd="/",
                start_new_session=True,
            )
        return self._process.pid

    def state(self) -> State:
        """Return how far it is, by its own word."""
        if self._process is None or self._process.returncode is not None:
            return "ended"
        return state_of(self.data)

    async def until(self, *states: State, timeout_s: float) -> None:
        """Wait for one of the states. Raises ServerStartError when it ends or takes too long."""
        await self._until(lambda: self.state() in states, timeout_s)

    async def until_logged(self, pattern: re.Pattern[str], *, timeout_s: float) -> None:
        """Wait for a line of its log. Raises ServerStartError when it ends or takes too long."""
        await self._until(lambda: bool(pattern.search(self.told())), timeout_s)

    async def _until(self, claim: Callable[[], bool], timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                while not claim():
                    if self.state() == "ended":
                        why = self.complaint() or self.tail()
                        raise ServerStartError(f"the server ended: {why}")
                    await asyncio.sleep(_POLL_S)
        except TimeoutError as error:
            raise ServerStartError(f"the server was not ready within {timeout_s:g} s") from error

    def told(self) -> str:
        """Return its log."""
        try:
            return self.log.read_text(errors="replace")
        except OSError:
            return ""

    def complaint(self) -> str:
        """Return the first FATAL or PANIC of its log; empty without one."""
        found = _COMPLAINT.search(self.told())
        return found[1].strip() if found else ""

    def tail(self) -> str:
        """Return the last line of its log."""
        return self.told().strip().rpartition("\n")[2]

    async def stop(self, *, at_once: bool = False) -> None:
        """Stop it and wait: in order, or at once without a last checkpoint."""
        if self._process is None or self._process.returncode is not None:
            return
        self._process.send_signal(signal.SIGQUIT if at_once else signal.SIGINT)
        try:
            async with asyncio.timeout(_SHUTDOWN_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    def leave(self) -> None:
        """Let it run on without us."""
        self._process = None


def state_of(data: Path) -> State:
    """Return how far the server of a data folder is, by its pid file."""
    try:
        lines = (data / PID_FILE).read_text().splitlines()
    except OSError:
        return "starting"
    if len(lines) <= _STATE_LINE:
        return "starting"
    told = lines[_STATE_LINE].strip()
    return "ready" if told == "ready" else "standby" if told == "standby" else "starting"


def running_pid(data: Path) -> int | None:
    """Return the process id of the server that runs on a data folder, None without one."""
    try:
        pid = abs(int((data / PID_FILE).read_text().splitlines()[0]))
        os.kill(pid, 0)
    except (OSError, ValueError, IndexError) as error:
        return pid if isinstance(error, PermissionError) else None
    return pid


async def start_detached(argv: Sequence[str], log: Path) -> int:
    """Start a server that outlives us; return its process id."""
    with log.open("ab") as stream:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            cwd="/",
            start_new_session=True,
        )
    return process.pid
