"""The way of a backup from end to end on things that are thrown away, in less than a minute.

A database, two regions, and the commands that a person would use, with the inventory's own rules:
protected, copied, changed, copied again, verified. It answers whether backups work on this machine
at all before anything real is entrusted to them; nothing real is touched and nothing is left.
"""

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Final, Literal

import msgspec

from abops.kernel.clock import Clock
from abops.kernel.errors import OpsError
from abops.stack.ports import HOST
from abops.stack.throwaway import ThrowAwayRegion, throw_away_regions
from abops.workflows.recovery.setting import Setting, make_setting

REGIONS: Final = ("eu", "us")
STEPS: Final = ("regions", "database, init", "full", "change", "incr", "verify", "gone")
_CHANGE: Final = "UPDATE pgbench_accounts SET abalance = aid WHERE aid <= 2000"
_SHOWN: Final = 300
_PATIENCE_S: Final = 1.0


class TrialError(OpsError):
    """Backups do not work on this machine as they must."""

    hint = "abops tools doctor says whether the database, the engine and the store are there."


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step, and how it ended."""

    step: str
    outcome: Literal["ok", "failed", "not tried"]
    seconds: float = 0.0
    detail: str = ""


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of a row that `backup run` or `backup verify` prints."""

    destination: str
    outcome: str
    type: str = ""
    seconds: float = 0.0
    stored: int = 0
    findings: tuple[Mapping[str, object], ...] = ()


class _Steps:
    """Notes each step as it ends."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.done: dict[str, Step] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[Callable[[str], None]]:
        """Time a step; what goes wrong in it is its result, and ends the trial by TrialError."""
        began = self._clock.monotonic()
        told: list[str] = []
        try:
            yield told.append
        except OpsError as error:
            self._note(name, "failed", began, str(error)[-_SHOWN:])
            raise TrialError(f"{name}: {error}") from error
        self._note(name, "ok", began, "; ".join(told))

    def _note(self, name: str, outcome: Literal["ok", "failed"], began: float, told: str) -> None:
        took = self._clock.monotonic() - began
        self.done[name] = Step(step=name, outcome=outcome, seconds=took, detail=told)

    def all(self) -> tuple[Step, ...]:
        """Return every step in its order, also those that were not tried."""
        missing = {name: Step(step=name, outcome="not tried") for name in STEPS}
        return tuple({**missing, **self.done}.values())


async def trial(platform: Path, clock: Clock) -> tuple[Step, ...]:
    """Go the whole way; a step that fails is the last but the clearing away."""
    steps = _Steps(clock)
    folders: list[Path] = []
    ports: list[int] = []
    own = asyncio.current_task()
    assert own is not None  # noqa: S101 - a coroutine runs in a task
    # Who is ended from outside clears away too.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, own.cancel)
    try:
        async with AsyncExitStack() as stack:
            with steps.step("regions") as told:
                regions = stack.enter_context(throw_away_regions(*REGIONS))
                ports += [one.port for one in regions.values()]
                folders += [one.region.folder.parent for one in regions.values()]
                told(", ".join(REGIONS))
            await _in_regions(steps, stack, regions, platform, folders)
    except OpsError as error:
        if not any(one.outcome == "failed" for one in steps.done.values()):
            # It went wrong while everything was cleared away.
            steps.done["gone"] = Step(step="gone", outcome="failed", detail=str(error))
    if "gone" not in steps.done:
        with steps.step("gone") as told:
            told(_gone(folders, ports))
    return steps.all()


async def _in_regions(
    steps: _Steps,
    stack: AsyncExitStack,
    regions: Mapping[str, ThrowAwayRegion],
    platform: Path,
    folders: list[Path],
) -> None:
    with steps.step("database, init") as told:
        setting = await stack.enter_async_context(make_setting(regions, platform))
        folders.append(setting.database.folder)
        told(f"PostgreSQL {(setting.database.data / 'PG_VERSION').read_text().strip()}")
    with steps.step("full") as told:
        full = await _backup(setting, "full")
        told(_sizes(full))
    with steps.step("change") as told:
        setting.change(_CHANGE)
        await setting.archive()
        told("2,000 rows, their log archived")
    with steps.step("incr") as told:
        incr = await _backup(setting, "incr")
        told(_sizes(incr))
        larger = [name for name in incr if incr[name].stored >= full[name].stored]
        if larger:
            raise TrialError(f"{', '.join(larger)}: the increment is no smaller than the full set")
    with steps.step("verify") as told:
        found = await _rows(setting, "verify", "success")
        told(f"{len(found)} destinations, no finding")


async def _backup(setting: Setting, kind: str) -> dict[str, _Row]:
    found = await _rows(setting, f"run --type {kind}", "success")
    other = [f"{one.destination}: {one.type}" for one in found.values() if one.type != kind]
    if other:
        raise TrialError(f"asked for {kind}: {', '.join(other)}")
    return found


async def _rows(setting: Setting, words: str, outcome: str) -> dict[str, _Row]:
    """Run `abops backup ...`, which must say this of each destination, and find nothing."""
    ended = await setting.run(f"abops backup {words} --output json")
    try:
        rows = msgspec.json.decode(ended.output, type=tuple[_Row, ...])
    except msgspec.MsgspecError as error:
        raise TrialError(f"abops backup {words}: {ended.errors[-_SHOWN:]}") from error
    found = {one.destination: one for one in rows}
    wrong = [name for name, one in found.items() if one.outcome != outcome or one.findings]
    missing = [name for name in REGIONS if name not in found]
    if ended.code != 0 or wrong or missing:
        raise TrialError(f"{', '.join(wrong + missing)}: {ended.errors[-_SHOWN:]}")
    return found


def _sizes(found: Mapping[str, _Row]) -> str:
    return ", ".join(
        f"{name} {one.stored / 1e3:,.0f} kB in {one.seconds:.1f} s" for name, one in found.items()
    )


def _gone(folders: list[Path], ports: list[int]) -> str:
    """Look whether anything is left. Raises TrialError."""
    left = [str(folder) for folder in folders if folder.exists()]
    left += [f"a server on port {port}" for port in ports if _listens(port)]
    if left:
        raise TrialError(f"still there: {', '.join(left)}")
    return "nothing is left"


def _listens(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=_PATIENCE_S):
            return True
    except OSError:
        return False
