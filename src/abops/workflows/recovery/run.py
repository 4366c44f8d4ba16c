"""Rehearsing disasters one after the other, each on a database of its own.

The regions serve all of them. What cannot be rehearsed on this machine is reported as not run,
and not run is never met.
"""

import asyncio
import os
import secrets
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from abops.clients.pgbackrest import Engine
from abops.clients.programs import call
from abops.kernel.clock import Clock
from abops.kernel.errors import OpsError, UsageError
from abops.stack.throwaway import ThrowAwayRegion, throw_away_regions
from abops.stack.tools import find_tool
from abops.workflows.recovery.playbook import Scenario
from abops.workflows.recovery.report import Machine, Rehearsed, Report, Tried
from abops.workflows.recovery.scenarios import (
    LEFT,
    LOST,
    corruption,
    empty_machine,
    region_lost,
    targets,
)
from abops.workflows.recovery.setting import make_setting
from abops.workflows.recovery.trials import try_commands

NO_CLUSTER: Final = "no cluster: nothing here runs pods, and `delivery` is not built yet"
CORRUPTION, CLUSTER, EMPTY_MACHINE, REGION, TARGETS = range(1, 6)
_DISASTERS: Final = {
    CORRUPTION: corruption,
    EMPTY_MACHINE: empty_machine,
    REGION: region_lost,
}
_ASKED_S: Final = 10.0
Told = Callable[[Rehearsed], None]


class How(Struct, frozen=True, kw_only=True):
    """How it is rehearsed."""

    hurry: bool = False
    """The log is sent at once: RPO looks better than it is."""
    scale: int = 1
    """Size of the database: 15 MB of accounts each, and some."""
    trials: bool = False
    """The commands that people's scripts call are tried first."""


async def rehearse(  # noqa: PLR0913 - what a rehearsal is told
    playbook: dict[int, Scenario],
    numbers: Sequence[int],
    platform: Path,
    clock: Clock,
    *,
    how: How = How(),  # noqa: B008 - frozen
    told: Told = lambda _one: None,
) -> Report:
    """Rehearse scenarios of the playbook; `told` hears of each as it ends."""
    rehearsed = {*_DISASTERS, CLUSTER, TARGETS}
    unknown = [str(number) for number in numbers if number not in {*playbook} & rehearsed]
    if unknown:
        raise UsageError(
            f"the playbook has no scenario {', '.join(unknown)}",
            hint=f"It has: {', '.join(map(str, playbook))}",
        )
    started, load = clock.now(), os.getloadavg()[0]
    end_in_order()
    found = []
    tried: tuple[Tried, ...] = ()
    with throw_away_regions(LOST, LEFT) as regions:
        if how.trials:
            tried = await try_commands(regions, platform, clock)
        for number in numbers:
            one = await _one(playbook[number], regions, platform, clock, how)
            found.append(one)
            told(one)
    return Report(
        id=f"{started:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}",
        started=started.timestamp(),
        ended=clock.now().timestamp(),
        scenarios=tuple(found),
        machine=await machine(load, find_tool("pgbackrest"), find_tool("postgres")),
        trials=tried,
    )


def end_in_order() -> None:
    """Have whoever ends this from outside clear everything away, as at its own end."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


async def _one(
    scenario: Scenario,
    regions: dict[str, ThrowAwayRegion],
    platform: Path,
    clock: Clock,
    how: How,
) -> Rehearsed:
    started = clock.now().timestamp()
    known = Rehearsed(
        number=scenario.number,
        title=scenario.title,
        outcome="not run",
        reason=NO_CLUSTER,
        started=started,
        ended=started,
        rto_target_s=scenario.rto_s,
        rpo_target_s=scenario.rpo_s,
    )
    if scenario.number == CLUSTER:
        return known
    # The region that will be lost is required by the rules: the failover must lift that.
    policy = {"require": [LOST]} if scenario.number == REGION else None
    try:
        async with make_setting(regions, platform, policy=policy, scale=how.scale) as setting:
            if scenario.number == TARGETS:
                return await targets(scenario, setting, clock, hurry=how.hurry)
            return await _DISASTERS[scenario.number](scenario, setting, clock)
    except (OpsError, TimeoutError) as error:
        # One that cannot even be set up is a failure of its own, and the others go on.
        return msgspec.structs.replace(
            known,
            outcome="failed",
            reason=str(error) or "not done in time",
            ended=clock.now().timestamp(),
        )


async def machine(load_before: float, engine: Path, server: Path) -> Machine:
    """Return on what it was measured."""
    capabilities = await Engine(engine).capabilities()
    postgres = await call(server, "--version", timeout_s=_ASKED_S)
    return Machine(
        cpus=os.cpu_count() or 0,
        load_before=round(load_before, 2),
        load_after=round(os.getloadavg()[0], 2),
        engine=capabilities.version,
        postgres=postgres.output.decode(errors="replace").split()[2],
    )
