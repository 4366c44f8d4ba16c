"""The alert service: what it can be asked, as coroutines.

An alert is decoded, given its identity, committed, and only then answered; correlation and
delivery follow. Whatever dies in between is picked up again from the store.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from abops.alerts.model import (
    IncidentDetail,
    IncidentState,
    IncidentSummary,
    IngestResult,
    Readiness,
    ServiceConfig,
    ServiceEvent,
)
from abops.kernel.clock import Clock, SystemClock


class AlertService:
    """Takes alerts, keeps incidents, tells people."""

    def __init__(self, config: ServiceConfig, clock: Clock | None = None) -> None:
        self.config = config
        self.clock: Clock = clock or SystemClock()

    async def start(self) -> None:
        """Open the store, rebuild the state, start the workers."""
        raise NotImplementedError

    async def stop(self) -> None:
        """Finish what is being written and stop the workers."""
        raise NotImplementedError

    async def ingest(self, body: bytes) -> IngestResult:
        """Store the alerts of an Alertmanager webhook; return once they are on disk."""
        raise NotImplementedError

    async def heartbeat(self, body: bytes) -> None:
        """Note that the Watchdog alert arrived."""
        raise NotImplementedError

    async def incidents(
        self, *, state: IncidentState | None = None, limit: int = 100
    ) -> tuple[IncidentSummary, ...]:
        """Return incidents, unresolved ones first, then the newest."""
        raise NotImplementedError

    async def incident(self, number: int, *, members: int = 200) -> IncidentDetail:
        """Return one incident with its alerts; raises IncidentUnknownError."""
        raise NotImplementedError

    async def ack(self, number: int, *, by: str, via: str = "api") -> IncidentSummary:
        """Record that `by` takes care of it and tell the channels. Twice changes nothing."""
        raise NotImplementedError

    @asynccontextmanager
    async def subscribe(self) -> AsyncIterator[AsyncIterator[ServiceEvent]]:
        """Give the changes from now on: `async with service.subscribe() as events`."""
        raise NotImplementedError
        yield  # makes this a generator

    async def metrics(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        raise NotImplementedError

    def readiness(self) -> Readiness:
        """Say whether new alerts can be stored."""
        raise NotImplementedError
