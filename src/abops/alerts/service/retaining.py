"""Letting go of what happened long ago, beside the alerts' way.

Each batch is a transaction of its own with a pause after it, so that alerts never wait for more
than a few milliseconds. What is found is looked up on what is committed, by the readers.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

import structlog

from abops.alerts.model import ServiceConfig
from abops.alerts.service.metrics import Metrics
from abops.alerts.service.vault import Vault
from abops.alerts.store import retention as rows
from abops.alerts.store.writer import Unit
from abops.kernel.clock import Clock

LOOK_EVERY_S: Final = 3_600.0
FIRST_LOOK_S: Final = 60.0
"""Seconds after the start: what piled up meanwhile goes first."""
PAUSE_S: Final = 0.05
_log = structlog.get_logger()


class Retaining:
    """Keeps as much of the past as the inventory asks for."""

    def __init__(self, config: ServiceConfig, vault: Vault, metrics: Metrics, clock: Clock) -> None:
        self._config = config
        self._vault = vault
        self._clock = clock
        self._deleted = metrics.retention_deleted
        self._looked_at = metrics.retention_looked_at
        self._counts: dict[str, int] = {}

    async def run(self) -> None:
        """Let go of what is old, for ever."""
        await asyncio.sleep(FIRST_LOOK_S)
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> Mapping[str, int]:
        """Let go of all that is old now; return how many rows of which table."""
        self._counts = {}
        now = self._clock.now().timestamp()
        events = now - self._config.keep_events_s
        incidents = now - self._config.keep_incidents_s
        await self._events(events)
        await self._incidents(incidents)
        for table, before in (("rejected", events), ("audit", incidents), ("change", incidents)):
            while count := await self._vault.write(partial(_delete_logged, table, before)):
                await self._count(table, count)
        self._looked_at.set(now)
        if self._counts:
            _log.info("what is old was let go of", rows=self._counts)
        return self._counts

    async def _events(self, before: float) -> None:
        last = await self._vault.read(lambda c: rows.last_event_before(c, before))
        after = 0
        while numbers := await self._vault.read(partial(rows.old_events, after=after, last=last)):
            after = numbers[-1]
            await self._count("event", await self._vault.write(partial(_delete_events, numbers)))

    async def _incidents(self, before: float) -> None:
        while numbers := await self._vault.read(partial(rows.old_incidents, before=before)):
            for number in numbers:
                table = ""
                while table != "incident":
                    table, count = await self._vault.write(partial(_delete_part, number))
                    await self._count(table, count)

    async def _count(self, table: str, count: int) -> None:
        if count:
            self._counts[table] = self._counts.get(table, 0) + count
            self._deleted.labels(table).inc(count)
        await asyncio.sleep(PAUSE_S)


def _delete_events(numbers: Sequence[int], unit: Unit) -> int:
    return rows.delete_events(unit.connection, numbers)


def _delete_part(number: int, unit: Unit) -> tuple[str, int]:
    return rows.delete_part(unit.connection, number)


def _delete_logged(table: str, before: float, unit: Unit) -> int:
    return rows.delete_logged(unit.connection, table, before)
