"""One part's life: started when its turn comes, started again when it dies, left alone when told.

A keeper is one coroutine. Requests (stop, start, down) only change what is wanted and send a
signal; the coroutine sees the process end and decides, so that two requests never race.
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Iterable
from enum import StrEnum

import msgspec

from abops.kernel.clock import Clock
from abops.kernel.errors import OpsError
from abops.stack import processes
from abops.stack.health import is_healthy
from abops.stack.layout import Layout
from abops.stack.part import Part
from abops.stack.parts import fingerprint
from abops.stack.processes import Identity
from abops.stack.programs import spawn
from abops.stack.records import Record, remove_record, write_record
from abops.stack.tools import ToolMissingError

ATTEMPTS = 3
"""Starts of a part that was never ready, before it counts as failed."""
BACKOFF_S = (0.5, 1.0, 2.0, 5.0, 10.0)
STEADY_S = 30.0
"""A part that ran this long begins with the shortest pause again."""
CHECK_EVERY_S = 0.15
REMAINS_GRACE_S = 0.2


class State(StrEnum):
    """Where a part is in its life."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    STOPPED = "stopped"
    FAILED = "failed"
    MISSING = "missing"
    DONE = "done"


SETTLED = frozenset({State.READY, State.STOPPED, State.FAILED, State.MISSING, State.DONE})
GOOD = frozenset({State.READY, State.DONE})


class PartStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about a part at one moment."""

    part: str
    state: str
    url: str = ""
    pid: int | None = None
    restarts: int = 0
    seconds: float | None = None
    """From the start of its process until it was ready."""
    healthy: bool | None = None
    message: str = ""
    waits_for: str = ""
    optional: bool = False


class Process:
    """A running process, ours or adopted from a supervisor that died."""

    def __init__(self, identity: Identity, child: subprocess.Popen[bytes] | None) -> None:
        self.identity = identity
        self._child = child
        self.ended = asyncio.Event()
        self.exit_code: int | None = None
        handle = processes.open_handle(identity) if child is None else os.pidfd_open(child.pid)
        self._handle = handle
        if handle is None:
            self.ended.set()
        else:
            asyncio.get_running_loop().add_reader(handle, self._on_end)

    def _on_end(self) -> None:
        self.release()
        if self._child is not None:
            self.exit_code = self._child.wait()
        self.ended.set()

    def release(self) -> None:
        """Stop watching."""
        if self._handle is not None:
            asyncio.get_running_loop().remove_reader(self._handle)
            os.close(self._handle)
            self._handle = None

    def send(self, sig: int) -> None:
        """Send a signal to the process, if it still runs."""
        if self._handle is not None:
            try:
                signal.pidfd_send_signal(self._handle, sig)
            except ProcessLookupError:
                return


class Keeper:
    """Keeps one part as it is wanted."""

    def __init__(
        self, part: Part, layout: Layout, *, clock: Clock, on_change: Callable[[], None]
    ) -> None:
        self.part = part
        self.state = State.WAITING
        self.restarts = 0
        self.message = ""
        self.waits_for = ""
        self._layout = layout
        self._clock = clock
        self._on_change = on_change
        self._changed = asyncio.Event()
        self._wanted = True
        self._process: Process | None = None
        self._started_at = 0.0
        self._ready_at: float | None = None
        self._ever_ready = False
        self._failures = 0

    def status(self, *, healthy: bool | None = None) -> PartStatus:
        """Return what is known now."""
        return PartStatus(
            part=self.part.name,
            state=self.state.value,
            url=self.part.url,
            pid=self._process.identity.pid if self._process else None,
            restarts=self.restarts,
            seconds=None if self._ready_at is None else self._ready_at - self._started_at,
            healthy=healthy,
            message=self.message,
            waits_for=self.waits_for if self.state is State.WAITING else "",
            optional=bool(self.part.without),
        )

    async def healthy(self) -> bool | None:
        """Ask the part now; None when no process runs, so that there is nobody to ask."""
        if self._process is None:
            return None
        alive_s = self._clock.monotonic() - self._started_at
        return await is_healthy(self.part.check, alive_s=alive_s)

    def want(self) -> None:
        """Let the part run (again)."""
        if self.state in {State.STOPPED, State.FAILED, State.MISSING, State.DONE}:
            self._wanted = True
            self._failures = 0
            self._set(State.WAITING)

    async def hold(self, sig: int | None = None) -> None:
        """Stop the part, by its own signal or by `sig`, and leave it stopped."""
        self._wanted = False
        if self._process is not None:
            self._process.send(sig if sig is not None else self.part.stop_signal)
            try:
                async with asyncio.timeout(self.part.stop_grace_s):
                    await self._process.ended.wait()
            except TimeoutError:
                self._process.send(signal.SIGKILL)
        self._pulse()
        await self.until(frozenset({State.STOPPED, State.FAILED, State.MISSING, State.DONE}))

    async def until(self, states: Iterable[State]) -> None:
        """Wait until the part is in one of `states`."""
        while self.state not in states:
            await self._changed.wait()

    async def run(self, depends_on: Iterable["Keeper"], running: Record | None) -> None:
        """Keep the part until cancelled; `running` is what an earlier supervisor left."""
        dependencies = tuple(depends_on)
        if running is not None and running.fingerprint != fingerprint(self.part):
            # Declared anew since: it is replaced, as nobody would know of the difference.
            await asyncio.to_thread(
                processes.end, [running.identity], running.stop_signal, running.stop_grace_s
            )
        elif running is not None:
            self._process = Process(running.identity, None)
            self._started_at = self._clock.monotonic()
            await self._live(adopted=True)
        while True:
            while not self._wanted:
                if self.state not in SETTLED:
                    self._set(State.STOPPED)
                await self._changed.wait()
            for dependency in dependencies if not self._ever_ready else ():
                await self._await(dependency)
            if self._wanted and self._launch():
                await self._live(adopted=False)

    async def _await(self, dependency: "Keeper") -> None:
        # An optional dependency that is missing or broken does not hold anybody up.
        good = GOOD | ({State.FAILED, State.MISSING} if dependency.part.without else set())
        while self._wanted and dependency.state not in good:
            self.waits_for = dependency.part.name
            waits = [
                asyncio.ensure_future(self._changed.wait()),
                asyncio.ensure_future(dependency._changed.wait()),  # noqa: SLF001 - same class
            ]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
        self.waits_for = ""

    def _launch(self) -> bool:
        try:
            child = spawn(self.part, self._layout)
        except OpsError as error:
            missing = isinstance(error, ToolMissingError) and bool(self.part.without)
            state = State.MISSING if missing else State.FAILED
            self._give_up(state, f"{self.part.without or error}. {error.hint}")
            return False
        identity = processes.identify(child.pid)
        if identity is None:  # it ended before we could look
            identity = Identity(child.pid, 0, "")
        else:
            write_record(self._layout, self.part, identity, fingerprint(self.part))
        self._process = Process(identity, child)
        self._started_at = self._clock.monotonic()
        self._ready_at = None
        self._set(State.STARTING)
        return True

    async def _live(self, *, adopted: bool) -> None:
        """See one process from its start to its end, and decide what follows."""
        process = self._process
        if process is None:
            return
        ready = await self._get_ready(process)
        late = bool(self.message)  # it had its time: another try would take as long again
        if ready and not self.part.runs_once:
            self._ever_ready = True
            self._ready_at = None if adopted else self._clock.monotonic()
            self._set(State.READY)
            ready_since = self._clock.monotonic()
            await process.ended.wait()
            if self._clock.monotonic() - ready_since > STEADY_S:
                self._failures = 0
        await self._bury(process)
        if not self._wanted:
            self._set(State.STOPPED)
        elif self.part.runs_once and process.exit_code == 0:
            self._wanted = False
            self._ready_at = self._clock.monotonic()
            self._set(State.DONE)
        elif not self._ever_ready and (late or self._failures + 1 >= self._attempts):
            self._give_up(State.FAILED, self._why(process))
        else:
            await self._pause(self._why(process))

    @property
    def _attempts(self) -> int:
        return 1 if self.part.runs_once else ATTEMPTS

    async def _get_ready(self, process: Process) -> bool:
        """Await the part's health; False when it ended, or did not get healthy in time."""
        if self.part.runs_once:
            await process.ended.wait()
            return process.exit_code == 0
        deadline = self._started_at + self.part.start_timeout_s
        while not process.ended.is_set():
            alive_s = self._clock.monotonic() - self._started_at
            if await is_healthy(self.part.check, alive_s=alive_s) and not process.ended.is_set():
                return True
            if self._clock.monotonic() > deadline:
                self.message = f"not healthy within {self.part.start_timeout_s:g} s"
                process.send(signal.SIGKILL)
                await process.ended.wait()
                return False
            try:
                async with asyncio.timeout(CHECK_EVERY_S):
                    await process.ended.wait()
            except TimeoutError:
                continue
        return False

    async def _bury(self, process: Process) -> None:
        """Forget an ended process, and end what it left behind in its name."""
        remove_record(self._layout, self.part.name)
        self._process = None
        left = [i for i, name in self._marked().items() if name == self.part.name]
        if left:
            await asyncio.to_thread(processes.end, left, signal.SIGTERM, REMAINS_GRACE_S)
        process.release()

    def _marked(self) -> dict[Identity, str]:
        return processes.marked(self._layout.stack_id)

    def _why(self, process: Process) -> str:
        if self.message:
            return self.message
        code = process.exit_code
        if code is None:
            return "ended"
        if code < 0:
            return f"ended by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"

    async def _pause(self, why: str) -> None:
        delay = BACKOFF_S[min(self._failures, len(BACKOFF_S) - 1)]
        self._failures += 1
        self.restarts += 1
        self._set(State.RESTARTING, why)
        deadline = self._clock.monotonic() + delay
        while self._wanted and (left := deadline - self._clock.monotonic()) > 0:
            try:
                async with asyncio.timeout(left):
                    await self._changed.wait()
            except TimeoutError:
                break
        if not self._wanted:
            self._set(State.STOPPED)

    def _give_up(self, state: State, why: str) -> None:
        self._wanted = False
        self._set(state, why)

    def _set(self, state: State, message: str = "") -> None:
        self.state = state
        self.message = message
        self._pulse()
        self._on_change()

    def _pulse(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
