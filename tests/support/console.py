"""Incidents as the console meets them: builders of example data, and a service in memory.

`MemoryService` answers the console's questions the way the alert service does, without a disk,
so that a page can be looked at in any state.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from abops.alerts.model import (
    Alert,
    Delivery,
    EventKind,
    IncidentDetail,
    IncidentState,
    IncidentSummary,
    Member,
    Readiness,
    Routing,
    ServiceConfig,
    ServiceEvent,
    Storm,
    TimelineEntry,
)
from abops.alerts.service import AlertService
from abops.alerts.service.figures import SimilarIncident
from abops.alerts.service.memory import IncidentUnknownError
from abops.alerts.service.upcoming import Upcoming
from abops.alerts.store.changes import StoredChange
from abops.alerts.store.duty import SilenceRow
from abops.kernel.clock import Clock, SystemClock

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class FixedClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = NOON) -> None:
        self.moment = now

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()


def an_incident(number: int = 42, **changes: Any) -> IncidentSummary:  # noqa: ANN401 - any field
    opened = changes.get("opened_at", NOON - timedelta(minutes=2))
    values: dict[str, Any] = {
        "title": "ApiErrorStorm: 38 % of the API's requests fail",
        "state": "open",
        "severity": "critical",
        "service": "api",
        "env": "local",
        "team": "dev",
        "opened_at": opened,
        "updated_at": opened,
        "alerts": 1,
        "firing": 1,
    }
    return IncidentSummary(number=number, **(values | changes))


def an_alert(name: str = "ApiErrorStorm", **changes: Any) -> Alert:  # noqa: ANN401 - any field
    values: dict[str, Any] = {
        "fingerprint": name.lower(),
        "severity": "critical",
        "service": "api",
        "env": "local",
        "state": "firing",
        "labels": {"alertname": name, "severity": "critical", "instance": "127.0.0.1:8000"},
        "annotations": {
            "summary": "38 % of the API's requests fail",
            "impact": "Channel owners see errors instead of their dashboards.",
            "value": "38.2 %",
            "threshold": "> 5 % for 10 s",
        },
        "starts_at": NOON - timedelta(minutes=2),
        "ends_at": None,
    }
    return Alert(name=name, **(values | changes))


def a_detail(
    summary: IncidentSummary,
    *members: Member,
    **changes: Any,  # noqa: ANN401 - any field
) -> IncidentDetail:
    return IncidentDetail(
        summary=summary,
        members=members or (Member(an_alert(), "first alert of its service", summary.opened_at),),
        timeline=changes.pop("timeline", ()),
        deliveries=changes.pop("deliveries", ()),
        **changes,
    )


class MemoryService(AlertService):
    """Incidents in memory, with the alert service's questions and events."""

    def __init__(
        self, details: Sequence[IncidentDetail] = (), *, clock: Clock | None = None
    ) -> None:
        routing = Routing("https://ops.example.org", channels={}, teams={}, routes=())
        self.config = ServiceConfig(env="local", routing=routing, data_dir=Path())
        self.clock = clock or SystemClock()
        self.details = {detail.summary.number: detail for detail in details}
        self.ready = Readiness(ready=True)
        self.changed: list[StoredChange] = []
        self._listeners: set[asyncio.Queue[ServiceEvent]] = set()

    async def start(self) -> None:
        """Nothing has to be opened."""

    async def stop(self) -> None:
        """Nothing has to be closed."""

    async def incidents(
        self, *, state: IncidentState | None = None, limit: int = 100, since_s: float = 0.0
    ) -> tuple[IncidentSummary, ...]:
        found = [
            d.summary
            for d in self.details.values()
            if state in {None, d.summary.state} and d.summary.opened_at.timestamp() >= since_s
        ]
        found.sort(key=lambda i: (i.state == "resolved", -i.number))
        return tuple(found[:limit])

    async def incident(
        self,
        number: int,
        *,
        members: int = 200,  # noqa: ARG002 - the service's question
    ) -> IncidentDetail:
        if number not in self.details:
            raise IncidentUnknownError(f"there is no incident INC-{number}")
        return self.details[number]

    async def ack(
        self,
        number: int,
        *,
        by: str,
        via: str = "api",  # noqa: ARG002 - the service's question
    ) -> IncidentSummary:
        detail, now = await self.incident(number), self.clock.now()
        if detail.summary.state == "open":
            summary = replace(
                detail.summary,
                state="acked",
                acked_by=by,
                acked_at=now,
                revision=detail.summary.revision + 1,
            )
            entry = TimelineEntry(now, "acked", f"acknowledged by {by}", by)
            self.put(replace(detail, summary=summary, timeline=(*detail.timeline, entry)), "acked")
        return self.details[number].summary

    async def unack(
        self,
        number: int,
        *,
        by: str,
        via: str = "api",  # noqa: ARG002 - the service's question
    ) -> IncidentSummary:
        detail, now = await self.incident(number), self.clock.now()
        if detail.summary.state == "acked":
            summary = replace(
                detail.summary,
                state="open",
                acked_by="",
                acked_at=None,
                revision=detail.summary.revision + 1,
            )
            entry = TimelineEntry(now, "unacked", f"{by} takes care of it no longer", by)
            timeline = (*detail.timeline, entry)
            self.put(replace(detail, summary=summary, timeline=timeline), "unacked")
        return self.details[number].summary

    async def similar(
        self,
        detail: IncidentDetail,  # noqa: ARG002 - the service's question
    ) -> tuple[SimilarIncident, ...]:
        return ()

    async def changes(
        self,
        since: float,
        until: float,
        *,
        service: str = "",
        limit: int = 100,
    ) -> Sequence[StoredChange]:
        found = [
            change
            for change in self.changed
            if since <= change.at.timestamp() < until and service in ("", change.service)
        ]
        return sorted(found, key=lambda change: change.at, reverse=True)[:limit]

    async def silences(self) -> tuple[SilenceRow, ...]:
        return ()

    async def windows(self) -> tuple[SilenceRow, ...]:
        return ()

    async def held_back(self) -> dict[str, int]:
        return {}

    async def window_names(self) -> dict[int, str]:
        return {}

    async def briefs(self, *, limit: int) -> tuple[IncidentSummary, ...]:  # type: ignore[override]
        return await self.incidents(limit=limit)

    async def summaries(self, numbers: Sequence[int]) -> tuple[IncidentSummary, ...]:
        return tuple(self.details[number].summary for number in numbers)

    async def upcoming(
        self,
        numbers: Sequence[int],  # noqa: ARG002 - the service's question
    ) -> dict[int, Upcoming]:
        return {}

    async def storms(self, *, limit: int = 50) -> tuple[Storm, ...]:
        found = [d.storm for d in self.details.values() if d.storm is not None]
        return tuple(sorted(found, key=lambda storm: storm.ended_at is not None)[:limit])

    def calls(self) -> tuple[tuple[str, str], ...]:
        return self.config.calls

    def put(self, detail: IncidentDetail, kind: EventKind = "opened") -> None:
        """Add or replace an incident and tell who listens."""
        self.details[detail.summary.number] = detail
        event = ServiceEvent(kind, detail.summary.number, self.clock.now())
        for listener in self._listeners:
            listener.put_nowait(event)

    @asynccontextmanager
    async def subscribe(self) -> AsyncIterator[AsyncIterator[ServiceEvent]]:
        queue: asyncio.Queue[ServiceEvent] = asyncio.Queue()
        self._listeners.add(queue)

        async def events() -> AsyncIterator[ServiceEvent]:
            while True:
                yield await queue.get()

        try:
            yield events()
        finally:
            self._listeners.discard(queue)

    def readiness(self) -> Readiness:
        return self.ready

    async def metrics(self) -> bytes:
        return b""


def a_bad_night(now: datetime) -> list[IncidentDetail]:
    """Return what the on-call engineer finds at three in the morning: the pictures' data."""

    def before(**span: float) -> datetime:
        return now - timedelta(**span)

    storm_at = before(minutes=2, seconds=8)
    storm = an_incident(
        42,
        title="ApiErrorStorm: 38 % of the API's requests fail",
        alerts=11,
        firing=11,
        opened_at=storm_at,
        channels=("pd-dev", "slack-ops"),
        recurs=31,
    )
    where = ("127.0.0.1:8000", "127.0.0.1:8010", "127.0.0.1:8011")
    members = [
        Member(an_alert(starts_at=storm_at), "first alert of its service", storm_at),
        *(
            Member(
                an_alert(
                    name,
                    fingerprint=f"{name}{place}",
                    severity="critical" if name == "ProbeFailed" else "warning",
                    labels={"alertname": name, "instance": place},
                    annotations={"summary": name},
                    starts_at=storm_at + timedelta(seconds=4 * step),
                ),
                f"same service, {4 * step} s after its last alert",
                storm_at + timedelta(seconds=4 * step),
            )
            for step, (name, place) in enumerate(
                [
                    *[("ProbeFailed", p) for p in where],
                    *[("ApiLatencyHigh", p) for p in where],
                    *[("ApiSaturation", p) for p in where],
                    ("ApiQueueGrowing", where[0]),
                ],
                start=1,
            )
        ),
    ]
    deliveries = (
        Delivery("pd-dev", "open", "done", 1, storm_at, storm_at + timedelta(seconds=4.1), 4.1),
        Delivery("slack-ops", "open", "done", 1, storm_at, storm_at + timedelta(seconds=4.4), 4.4),
        Delivery("tg-security", "open", "retry", 3, storm_at, None, None, "429, retry after 30 s"),
        Delivery("slack-ops", "update", "pending", 0, storm_at),
    )
    timeline = (
        TimelineEntry(storm_at, "opened", "opened by ApiErrorStorm on api"),
        TimelineEntry(storm_at + timedelta(seconds=4), "joined", "ProbeFailed joined"),
        TimelineEntry(storm_at + timedelta(seconds=4.1), "told", "pd-dev accepted the page"),
        TimelineEntry(storm_at + timedelta(seconds=4.4), "told", "slack-ops accepted the message"),
        TimelineEntry(storm_at + timedelta(seconds=8), "joined", "9 more alerts joined"),
    )
    bot = an_incident(
        41,
        title="BotPollStalled: the bot has not asked Telegram for 60 s",
        service="bot",
        alerts=2,
        firing=2,
        opened_at=before(minutes=9),
    )
    worker = an_incident(
        40,
        title="QueueGrowing: 1,204 tasks wait, 310 more than 10 min ago",
        service="worker",
        severity="warning",
        state="acked",
        opened_at=before(minutes=31),
        acked_at=before(minutes=29, seconds=20),
        acked_by="ana",
    )
    node = an_incident(
        38,
        title="DiskFillsUp: at this rate /var is full in 6 h",
        service="postgres",
        severity="warning",
        opened_at=before(hours=1, minutes=4),
    )
    cert = an_incident(
        37,
        title="CertificateEnds: the API's certificate ends in 20 days",
        severity="info",
        opened_at=before(hours=7, minutes=30),
    )
    redis = an_incident(
        36,
        title="RedisDown: Redis does not answer",
        service="redis",
        state="resolved",
        opened_at=before(hours=3),
        resolved_at=before(hours=2, minutes=41),
        acked_at=before(hours=2, minutes=58),
        acked_by="bo",
        firing=0,
        alerts=3,
    )
    others = (
        (bot, "BotPollStalled", "The bot has not asked Telegram for 60 s", "no update arrives"),
        (worker, "QueueGrowing", "1,204 tasks wait, 310 more than 10 min ago", "figures are late"),
        (node, "DiskFillsUp", "At this rate /var is full in 6 h", "PostgreSQL stops when it is"),
        (cert, "CertificateEnds", "The certificate ends in 20 days", "browsers refuse it then"),
        (redis, "RedisDown", "Redis does not answer", "tasks are neither taken nor given"),
    )
    return [
        a_detail(storm, *members, timeline=timeline, deliveries=deliveries),
        *(_one_alert(*other) for other in others),
    ]


def _one_alert(incident: IncidentSummary, name: str, summary: str, impact: str) -> IncidentDetail:
    """Return an incident of a few instances of one alert, with what happened to it."""
    at = incident.opened_at
    entries = [TimelineEntry(at, "opened", f"opened by {name}")]
    entries.append(TimelineEntry(at + timedelta(seconds=3.8), "told", "slack-ops accepted it"))
    if incident.acked_at:
        by = incident.acked_by
        entries.append(TimelineEntry(incident.acked_at, "acked", f"acknowledged by {by}", by))
    if incident.resolved_at:
        entries.append(TimelineEntry(incident.resolved_at, "resolved", "no alert fires any more"))
    members = [
        Member(
            an_alert(
                name,
                fingerprint=f"{name}{step}",
                severity=incident.severity,
                service=incident.service,
                state="firing" if incident.firing else "resolved",
                labels={"alertname": name, "instance": f"{incident.service}-{step}"},
                annotations={"summary": summary, "impact": f"Until then {impact}."},
                starts_at=at,
                ends_at=incident.resolved_at,
            ),
            f"same service, {step} s after its last alert"
            if step
            else "first alert of its service",
            at,
        )
        for step in range(incident.alerts)
    ]
    told = Delivery("slack-ops", "open", "done", 1, at, at + timedelta(seconds=3.8), 3.8)
    return a_detail(incident, *members, timeline=tuple(entries), deliveries=(told,))
