"""What the alerts of a period cost people, and which past incidents looked like one."""

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from abops.alerts.model import IncidentDetail, Routing, ServiceConfig
from abops.alerts.rootcause.similar import PastIncident, similar_incidents
from abops.alerts.score.fatigue import WEEK_S, Fatigue, Page, fatigue
from abops.alerts.service.period import Statistics, by_kind, closed
from abops.alerts.service.report import WeeklyReport, weekly
from abops.alerts.service.vault import Vault
from abops.alerts.store import statistics as rows
from abops.alerts.store.database import Connection
from abops.alerts.store.standing import ChannelRow, channels
from abops.alerts.store.statistics import Lived
from abops.kernel.clock import Clock, moment

DAY_S: Final = 86_400.0
MOST_SIMILAR: Final = 3
TEST_ALERT: Final = "AbopsTestAlert"


class SimilarIncident(Struct, frozen=True):
    """A past incident that looks like this one, and what helped then."""

    number: int
    title: str
    likeness: float
    terms: tuple[str, ...]
    opened_at: datetime
    lasted: timedelta
    acked_by: str
    note: str


class Figures:
    """The part of the alert service that looks back."""

    config: ServiceConfig
    _vault: Vault
    clock: Clock

    async def fatigue(self, *, days: int = 7) -> Statistics:
        """Count what the last days cost people, and say what would make them cost less."""
        until = self.clock.now()
        routing = self.config.routing
        return await self._vault.read(lambda c: _statistics(c, until, days, routing))

    async def channels(self) -> tuple[ChannelRow, ...]:
        """Return how every channel stands, also one that nothing was told to yet."""
        now = self.clock.now().timestamp()
        found = {row.channel: row for row in await self._vault.read(lambda c: channels(c, now))}
        names = self.config.routing.channels
        return tuple(found.get(name, ChannelRow(name)) for name in names)

    async def weekly(self, name: str) -> WeeklyReport:
        """Write the report of the last seven days."""
        return weekly(await self.fatigue(), name=name)

    async def similar(self, detail: IncidentDetail) -> tuple[SimilarIncident, ...]:
        """Return the past incidents most like this one."""
        seen = {(m.alert.service, m.alert.name) for m in detail.members}
        number = detail.summary.number
        return await self._vault.read(lambda c: _similar(c, number, seen))


def _statistics(connection: Connection, until: datetime, days: int, routing: Routing) -> Statistics:
    end = until.timestamp()
    period_s = days * DAY_S
    found, now = _period(connection, end - period_s, end, routing)
    _, before = _period(connection, end - 2 * period_s, end - period_s, routing)
    return Statistics(
        since=until - timedelta(days=days),
        until=until,
        now=now,
        before=before,
        kinds=by_kind(found, now.kinds),
        unresolved=tuple((i.number, i.title) for i in found if i.state != "resolved"),
    )


def _period(
    connection: Connection, since: float, until: float, routing: Routing
) -> tuple[list[Lived], Fatigue]:
    """Return the incidents of a time and what they cost; tests of the alert path do not count."""
    every = rows.incidents(connection, since, until)
    found = [i for i in every if i.kind != TEST_ALERT]
    tests = {i.number for i in every if i.kind == TEST_ALERT}
    pages = [
        Page(page.person, hour_of(page, routing))
        for page in rows.pages(connection, since, until)
        if page.incident not in tests
    ]
    period_s = max(until - since, WEEK_S)
    return found, fatigue(pages, [closed(i) for i in found], period_s=period_s)


def hour_of(page: rows.Woken, routing: Routing) -> int:
    """Return the hour where the team lives that was paged."""
    team = routing.teams.get(page.team)
    return moment(page.at).astimezone(ZoneInfo(team.tz if team else routing.tz)).hour


def _similar(
    connection: Connection, number: int, seen: set[tuple[str, str]]
) -> tuple[SimilarIncident, ...]:
    known = {past.number: past for past in rows.past(connection, number)}
    alike = similar_incidents(
        seen, (PastIncident(past.number, past.seen) for past in known.values()), most=MOST_SIMILAR
    )
    return tuple(_remembered(known[one.number], one.likeness, one.terms) for one in alike)


def _remembered(past: rows.Past, likeness: float, terms: tuple[str, ...]) -> SimilarIncident:
    return SimilarIncident(
        number=past.number,
        title=past.title,
        likeness=likeness,
        terms=terms,
        opened_at=moment(past.opened_at),
        lasted=timedelta(seconds=past.resolved_at - past.opened_at),
        acked_by=past.acked_by,
        note=past.note,
    )
