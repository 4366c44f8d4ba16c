"""Paying what is owed: oldest first, two at a time, each destination for itself.

A destination that is down is tried with its oldest segment now and then; the first success opens
the way for the rest.
"""

import asyncio
from typing import Final

import structlog

from abops.backup.wal.archiver import Archiver
from abops.backup.wal.engine import Outcome, Told
from abops.backup.wal.place import Place
from abops.backup.wal.queue import Owed, judge
from abops.kernel.clock import Clock, SystemClock

AT_ONCE: Final = 2
PATIENCE: Final = 2
"""Times the rule's timeout, for nobody waits here."""
_IDLE_S: Final = 60.0
_AFTER_FAILURE_S: Final = 1.0
_log = structlog.get_logger()


async def drain(archiver: Archiver, clock: Clock | None = None) -> None:
    """Pay what is owed to all destinations, until cancelled."""
    clock = clock or SystemClock()
    async with asyncio.TaskGroup() as group:
        for place in archiver.places.values():
            group.create_task(_pay(archiver, place, clock))


async def _pay(archiver: Archiver, place: Place, clock: Clock) -> None:
    while True:
        wait_s = place.breaker.wait_s(clock.monotonic())
        owed = await asyncio.to_thread(archiver.queue.owed, place.name)
        due = [one for one in owed if one.name not in place.conflicts]
        if wait_s or not due:
            await place.rest(wait_s or _IDLE_S)
        elif not await _pay_these(archiver, place, due):
            await asyncio.sleep(_AFTER_FAILURE_S)


async def _pay_these(archiver: Archiver, place: Place, due: list[Owed]) -> bool:
    """Pay in order; tell whether all went well."""
    while due:
        width = 1 if place.breaker.is_down else AT_ONCE
        batch, due = due[:width], due[width:]
        paid = await asyncio.gather(*(_pay_one(archiver, place, one) for one in batch))
        if not all(paid):
            return False
    return True


async def _pay_one(archiver: Archiver, place: Place, one: Owed) -> bool:
    try:
        reason = await asyncio.to_thread(judge, one.path)
    except FileNotFoundError:
        return True
    except OSError as error:
        reason = error.strerror or "unreadable"
    if reason:
        # Never pushed under this name; who looks after the destination decides what it is.
        told = Told(Outcome.DIFFERENT, 0.0, f"{one.name}, as it is owed: {reason}")
    else:
        timeout_s = PATIENCE * archiver.rules.timeout_s
        told = await archiver.carrier.push(place.name, one.path, timeout_s)
    archiver.note(one.name, place.name, told)
    if told.outcome is Outcome.DONE:
        await asyncio.to_thread(archiver.queue.settle, one.name, place.name)
    return told.outcome is not Outcome.FAILED
