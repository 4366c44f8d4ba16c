"""Who is on call now and in the next fortnight: pure, so that every edge can be tested.

Days and handovers are those of the team's own time zone, as its members live by them. What is
shown follows from the same calendar that decides who is paged.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from abops.alerts.model import DEFAULT_POLICY, OnCall, Policy, Routing, Team
from abops.alerts.route.oncall import next_handover, on_call
from abops.entry.web.wording import span_in_words

DAYS_AHEAD: Final = 14
HUES: Final = 8
"""Colours that tell people apart at a glance; their names stand beside them."""


class OnDuty(Struct, frozen=True):
    """One team: who is paged for it now, and who is next."""

    team: Team
    person: str
    """Empty: the team has no rota, its channel is paged."""
    until: datetime | None
    """When somebody else takes over. None: nobody does."""
    then: str
    tz: str


class Cell(Struct, frozen=True):
    """A team's day."""

    person: str
    """Who begins the day."""
    handovers: tuple[tuple[str, str], ...]
    """At what local time who takes over."""

    @property
    def last(self) -> str:
        """Who ends the day."""
        return self.handovers[-1][1] if self.handovers else self.person


class Day(Struct, frozen=True):
    """A day of the calendar."""

    day: date
    cells: tuple[Cell, ...]
    changes: bool
    """Whether anybody takes over, or it is the first day."""


class Step(Struct, frozen=True):
    """A level of a policy, and whom it would page now."""

    level: int
    after: str
    team: Team
    person: str


class Ladder(Struct, frozen=True):
    """A policy as people read it."""

    name: str
    steps: tuple[Step, ...]
    repeat: int
    again: str
    """How long after the last level the first one is paged again."""
    remind: str
    ack_expires: str
    resume: str


def on_duty(teams: Iterable[Team], now: datetime) -> tuple[OnDuty, ...]:
    """Return who of each team is paged now."""
    return tuple(_on_duty(team, now) for team in teams)


def person_of(team: Team, now: datetime) -> str:
    """Return who of a team is on call. Empty: it has no rota."""
    return on_call(team.oncall, now) if team.oncall else ""


def calendar(teams: Iterable[Team], now: datetime, zone: str) -> tuple[Day, ...]:
    """Return the next fortnight of the teams that take turns, from today in this zone on."""
    rotas = [team.oncall for team in teams if team.oncall]
    today = now.astimezone(ZoneInfo(zone)).date()
    days = []
    for ahead in range(DAYS_AHEAD):
        day = today + timedelta(days=ahead)
        cells = tuple(_cell(rota, day, now) for rota in rotas)
        days.append(Day(day, cells, not ahead or any(cell.handovers for cell in cells)))
    return tuple(days)


def hues(teams: Iterable[Team]) -> Mapping[str, int]:
    """Return a colour's number for every member: those of one team differ."""
    found: dict[str, int] = {}
    for team in teams:
        for name in team.oncall.members if team.oncall else ():
            found.setdefault(name, len(found) % HUES + 1)
    return found


def ladders(routing: Routing, now: datetime) -> tuple[Ladder, ...]:
    """Return every policy, the default first."""
    every = {DEFAULT_POLICY: routing.escalation} | dict(routing.policies)
    return tuple(
        ladder(routing, name, policy, now) for name, policy in every.items() if policy is not None
    )


def ladder(routing: Routing, name: str, policy: Policy, now: datetime) -> Ladder:
    """Return a policy with whom it would page if it began now."""
    steps = []
    for number, level in enumerate(policy.levels, start=1):
        team = routing.teams[level.team]
        person = person_of(team, now + timedelta(seconds=level.after_s))
        after = f"after {span_in_words(level.after_s)}" if level.after_s else "at once"
        steps.append(Step(number, after, team, person))
    gap = policy.levels[-1].after_s - policy.levels[-2].after_s if len(policy.levels) > 1 else None
    return Ladder(
        name,
        tuple(steps),
        policy.repeat,
        span_in_words(policy.remind_every_s if gap is None else gap),
        span_in_words(policy.remind_every_s),
        span_in_words(policy.ack_expires_s),
        span_in_words(policy.resume_after_s),
    )


def _on_duty(team: Team, now: datetime) -> OnDuty:
    rota = team.oncall
    if rota is None:
        return OnDuty(team, "", None, "", team.tz)
    person = on_call(rota, now)
    until = _next_change(rota, now)
    return OnDuty(team, person, until, on_call(rota, until) if until else "", rota.tz)


def _next_change(rota: OnCall, now: datetime) -> datetime | None:
    """Return when somebody else takes over. None: there is nobody else."""
    if len(set(rota.members)) == 1:
        return None
    person, at = on_call(rota, now), next_handover(rota, now)
    while on_call(rota, at) == person:  # somebody has two turns in a row
        at = next_handover(rota, at)
    return at


def _cell(rota: OnCall, day: date, now: datetime) -> Cell:
    zone = ZoneInfo(rota.tz)
    begin = datetime.combine(day, time(), zone).astimezone(UTC)
    end = datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)
    at = max(begin, now.astimezone(UTC))
    first = on_call(rota, at)
    handovers = []
    person = first
    while (at := next_handover(rota, at)) < end:
        if (taking := on_call(rota, at)) != person:
            handovers.append((f"{at.astimezone(zone):%H:%M}", taking))
            person = taking
    return Cell(first, tuple(handovers))
