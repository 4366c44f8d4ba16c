"""The alert service: what it can be asked, as coroutines.

An alert is decoded, given its identity, committed, and only then answered; correlation and
delivery follow. Whatever dies in between is picked up again from the store.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from abops.alerts.model import (
    Actor,
    IncidentDetail,
    IncidentState,
    IncidentSummary,
    Readiness,
    ServiceConfig,
    ServiceEvent,
    Storm,
)
from abops.alerts.service import orders
from abops.alerts.service.acting import Acting
from abops.alerts.service.briefing import Briefing
from abops.alerts.service.calls import Calls
from abops.alerts.service.causes import Causes
from abops.alerts.service.comparing import Compared, Comparing, NothingToCompareError
from abops.alerts.service.deliver import Delivery
from abops.alerts.service.ending import end_tasks
from abops.alerts.service.enduring import Enduring
from abops.alerts.service.expiry import Expiry
from abops.alerts.service.figures import Figures
from abops.alerts.service.incidents import Incidents
from abops.alerts.service.intake import Intake
from abops.alerts.service.leading import Leading
from abops.alerts.service.letters import Letters
from abops.alerts.service.metrics import Metrics
from abops.alerts.service.naming import Naming
from abops.alerts.service.quieting import Quieting
from abops.alerts.service.regrouping import Regrouping
from abops.alerts.service.scoring import Scoring, Trained
from abops.alerts.service.upcoming import Foreseeing
from abops.alerts.service.upkeep import Upkeep
from abops.alerts.service.vault import Vault
from abops.alerts.service.watch import deadman
from abops.alerts.store import incidents as rows
from abops.alerts.store import outbox, reading
from abops.alerts.store import storms as storm_rows
from abops.alerts.store.place import FILE, Place
from abops.alerts.store.writer import Unit
from abops.clients.alertmanager import Alertmanager
from abops.kernel.clock import Clock, SystemClock

if TYPE_CHECKING:
    from datetime import datetime

SOURCE: Final = "alertmanager"
TICK_S: Final = 1.0
_SUBSCRIBER_LAG: Final = 1_000


class AlertService(Acting, Briefing, Intake, Quieting, Regrouping, Figures, Foreseeing, Naming):
    """Takes alerts, keeps incidents, tells people."""

    def __init__(
        self, config: ServiceConfig, clock: Clock | None = None, *, place: Place | None = None
    ) -> None:
        self.config = config
        self.clock: Clock = clock or SystemClock()
        self._metrics = Metrics(tuple(config.routing.channels))
        self._incidents = Incidents(config)
        self._expiry = Expiry()
        self._leading = Leading(self._begin, self._end)
        self._vault = Vault(
            place or Place(config.data_dir / FILE),
            config.settings,
            self._incidents,
            self._expiry,
            self.clock,
            announce=self._announce,
            hear=self._publish,
            lead=self._leading.turn,
        )
        self._hire()
        self._subscribers: set[asyncio.Queue[ServiceEvent]] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._heard_at = 0.0
        self._silent_since: datetime | None = None
        self._compare_now = asyncio.Event()

    def _hire(self) -> None:
        """Make the workers that only the leading replica has."""
        config = self.config
        self._delivery = Delivery(config, self._vault, self._incidents, self._metrics, self.clock)
        causes, scoring = self._enduring("causes"), self._enduring("scoring")
        self._calls = Calls(config, self._vault, self._incidents, self.clock)
        self._causes = Causes(self._calls, self._vault, self._incidents, self.clock, causes)
        self._scoring = Scoring(config, self._vault, self._incidents, scoring, self.clock)
        self._letters = Letters(config, self._vault, self.clock, self.weekly)
        self._upkeep = Upkeep(config, self._vault, self._metrics, self.clock)
        self._comparing = Comparing(config.settings, self.clock)

    async def start(self) -> None:
        """Open the store and take alerts; rebuild the state and start the workers, if it leads."""
        self._loop = asyncio.get_running_loop()
        await asyncio.to_thread(self._vault.open, self._loop)
        if self._vault.place.shared:
            self._leading.start()
        else:
            await self._vault.read(self._expiry.load)
            await self._leading.begin(self._vault.pages_in_doubt)

    async def stop(self) -> None:
        """Finish what is being written and stop the workers."""
        await self._leading.stop()
        await asyncio.to_thread(self._vault.close)

    async def _begin(self, in_doubt: int) -> None:
        self._metrics.duplicate_pages.inc(in_doubt)
        self._heard_at = self._now()  # silence counts from here, not from before a pause
        self._silent_since = None
        self._delivery.start()
        self._tasks = [
            asyncio.create_task(self._every(TICK_S, self._tick)),
            *(
                asyncio.create_task(self._enduring(name).forever(work), name=name)
                for name, work in (
                    ("calls", self._calls.run),
                    ("causes", self._causes.run),
                    ("scoring", self._scoring.run),
                    ("letters", self._letters.run),
                    *self._upkeep.works(),
                )
            ),
        ]
        if self.config.alertmanager_url is not None:
            self._tasks.append(asyncio.create_task(self._reconcile(self.config.alertmanager_url)))

    async def _end(self) -> None:
        await end_tasks(self._tasks)
        await self._scoring.close()
        await self._delivery.stop()
        self._hire()  # should it lead once more, it begins with new ones

    def calls(self) -> tuple[tuple[str, str], ...]:
        """Return which part calls which, as far as is known: caller and callee."""
        return self._calls.known()

    async def heartbeat(self, body: bytes) -> None:
        """Note that the Watchdog alert arrived."""
        del body  # that it came is what it says
        await self._vault.write(
            lambda u: rows.record_heartbeat(u.connection, source=SOURCE, at=u.now), anywhere=True
        )
        if self._vault.leads:
            await self._alive()

    async def _alive(self) -> None:
        now = self.clock.now()
        self._heard_at = now.timestamp()
        self._silent_since = None
        back = deadman(self.config.env, since=now, ended=now)
        if back.fingerprint in await self._vault.write(lambda _unit: self._incidents.firing()):
            await self._vault.store([back])

    async def incidents(
        self, *, state: IncidentState | None = None, limit: int = 100, since_s: float = 0.0
    ) -> tuple[IncidentSummary, ...]:
        """Return incidents, unresolved ones first, then the newest."""
        return await self._vault.read(
            lambda c: reading.incidents(c, state=state, limit=limit, since=since_s)
        )

    async def storms(self, *, limit: int = 50) -> tuple[Storm, ...]:
        """Return storms, those that rage first, then the newest."""
        return await self._vault.read(lambda c: storm_rows.listed(c, limit))

    async def incident(self, number: int, *, members: int = 200) -> IncidentDetail:
        """Return one incident with its alerts; raises IncidentUnknownError."""
        return await self._vault.incident(number, members=members)

    async def ack(self, number: int, *, by: str, via: str = "api") -> IncidentSummary:
        """Record that `by` takes care of it and tell the channels. Twice changes nothing."""
        actor = Actor(by, via)
        changed = await self._vault.order(orders.ACK, number, actor)
        summary = await self._vault.summary(number)
        if changed and summary.acked_at is not None:
            self._metrics.acknowledged(summary.acked_at - summary.opened_at)
        return summary

    async def unack(self, number: int, *, by: str, via: str = "api") -> IncidentSummary:
        """Record that nobody takes care of it any more and tell who knew of the ack."""
        actor = Actor(by, via)
        await self._vault.order(orders.UNACK, number, actor)
        return await self._vault.summary(number)

    @property
    def leads(self) -> bool:
        """Whether this replica keeps the incidents; the only one of a SQLite file always does."""
        return self._vault.leads

    async def train(self) -> Trained:
        """Fit the score to all labels now instead of at night."""
        return await self._scoring.train()

    @asynccontextmanager
    async def subscribe(self) -> AsyncIterator[AsyncIterator[ServiceEvent]]:
        """Give the changes from now on: `async with service.subscribe() as events`."""
        queue: asyncio.Queue[ServiceEvent] = asyncio.Queue(_SUBSCRIBER_LAG)
        self._subscribers.add(queue)

        async def events() -> AsyncIterator[ServiceEvent]:
            while True:
                yield await queue.get()

        try:
            yield events()
        finally:
            self._subscribers.discard(queue)

    async def metrics(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        opened, waiting, storms, heard_at = await self._vault.read(
            lambda c: (
                reading.open_by_severity(c),
                outbox.oldest_by_severity(c),
                len(storm_rows.running(c)),
                reading.heartbeat_at(c, SOURCE) if self._vault.place.shared else None,
            )
        )
        now = self._now()
        return self._metrics.text(
            open_incidents=opened,
            oldest_s={severity: max(now - since, 0.0) for severity, since in waiting.items()},
            storms_running=storms,
            heartbeat_age_s=now - max(self._heard_at, heard_at or 0.0),
            leads=self._vault.leads,
        )

    def readiness(self) -> Readiness:
        """Say whether new alerts can be stored."""
        reasons = self._vault.trouble()
        return Readiness(not reasons, reasons)

    def _announce(self, unit: Unit) -> None:
        """Called in the writer's thread after a commit."""
        if self._loop is not None and (unit.events or unit.channels):
            self._loop.call_soon_threadsafe(self._spread, unit.events, unit.channels)

    def _spread(self, events: list[ServiceEvent], channels: set[str]) -> None:
        for channel in channels:
            self._delivery.wake(channel)
        for event in events:
            self._causes.hear(event)
            self._scoring.hear(event)
        self._publish(events)

    def _publish(self, events: Sequence[ServiceEvent]) -> None:
        for queue in self._subscribers:
            for event in events:
                if queue.full():  # a reader this slow reads the list again anyway
                    queue.get_nowait()
                queue.put_nowait(event)

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        enduring = self._enduring("clocks")
        while True:
            await asyncio.sleep(seconds)
            await enduring.attempt(work)

    async def _tick(self) -> None:
        await self._vault.write(self._look_at_clocks)
        for late_s in self._incidents.duty.take_lateness():
            self._metrics.timer_lateness.observe(late_s)
        if past := self._expiry.past(self._now()):
            firing = await self._vault.write(lambda _unit: self._incidents.firing())
            await self._vault.store(self._expiry.end(past, firing, self._now()))
        await self._hear_others()
        now = self.clock.now()
        silence = now.timestamp() - self._heard_at
        if silence > self.config.settings.heartbeat_timeout_s and self._silent_since is None:
            self._silent_since = now
            await self._vault.store([deadman(self.config.env, since=now)])

    async def _hear_others(self) -> None:
        """See whether the Watchdog alert arrived at another replica."""
        if not self._vault.place.shared:
            return
        at = await self._vault.read(lambda c: reading.heartbeat_at(c, SOURCE))
        if at is not None and at > self._heard_at:
            await self._alive()

    def _look_at_clocks(self, unit: Unit) -> None:
        self._incidents.storms.tick(unit)
        self._incidents.passing.tick(unit)
        self._incidents.flapping.tick(unit)
        self._incidents.resolve_quiet(unit)
        self._incidents.duty.tick(unit, self._incidents.unack)
        overdue = unit.now - self.config.settings.page_fallback_after_s
        for item in outbox.unaccepted_pages(unit.connection, overdue):
            self._incidents.fall_back(unit, item, "has not accepted it")
        self._expiry.keep(unit)

    async def _reconcile(self, url: str) -> None:
        """Compare notes with Alertmanager, regularly and when it left something out."""
        client = Alertmanager(url)
        enduring = self._enduring("reconcile")
        try:
            while True:
                try:
                    async with asyncio.timeout(self.config.settings.reconcile_every_s):
                        await self._compare_now.wait()
                except TimeoutError:
                    pass
                self._compare_now.clear()
                await enduring.attempt(partial(self._compare, client))
        finally:
            await client.close()

    async def reconcile(self) -> Compared:
        """Compare notes with Alertmanager now; raises NothingToCompareError."""
        url = self.config.alertmanager_url
        if url is None or not self._vault.leads:
            raise NothingToCompareError("notes are compared with no Alertmanager here")
        client = Alertmanager(url)
        try:
            return await self._compare(client)
        finally:
            await client.close()

    async def _compare(self, client: Alertmanager) -> Compared:
        listed = await client.alerts()
        firing = await self._vault.write(lambda _unit: self._incidents.firing())
        own = deadman(self.config.env, since=self.clock.now()).fingerprint
        events, found = self._comparing.compare(listed, firing, {own, *self._expiry.known()})
        if events:
            await self._vault.store(events)
        return found

    def _enduring(self, task: str) -> Enduring:
        return Enduring(task, self._metrics)

    def _now(self) -> float:
        return self.clock.now().timestamp()
