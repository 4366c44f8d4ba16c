"""What keeps alerts from people at this moment, and which alerts: for every page that says so."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, Literal

import msgspec
from msgspec import Struct

from abops.alerts.model import Alert
from abops.alerts.route.matcher import MatcherSyntaxError, parse_matchers
from abops.alerts.route.silence import Quiet, silenced_by
from abops.alerts.route.window import Schedule, ScheduleError
from abops.alerts.service import AlertService
from abops.alerts.store.duty import SilenceRow

What = Literal["silence", "window"]
INCIDENTS_AT_MOST: Final = 200
ALERTS_AT_MOST: Final = 1_000


class Held(Struct, frozen=True):
    """How many alerts that fire each silence and window keeps from people."""

    counts: dict[str, int]
    """By its name: `silence 3`."""
    is_complete: bool
    """Whether all that is open was looked at."""


def quiet_of(what: What, row: SilenceRow) -> Quiet | None:
    """Return a row as what can be held against labels. None: it cannot be read any more."""
    try:
        matchers = parse_matchers(row.matchers)
        schedule = msgspec.json.decode(row.schedule, type=Schedule) if row.schedule else None
    except (MatcherSyntaxError, ScheduleError, msgspec.DecodeError):
        return None
    return Quiet(
        f"{what} {row.id}",
        row.reason,
        matchers,
        row.starts_at or 0.0,
        row.ends_at or 0.0,
        schedule,
    )


def open_now(
    silences: Iterable[SilenceRow], windows: Iterable[SilenceRow], now: datetime
) -> list[Quiet]:
    """Return what is open, in the order in which the service asks them."""
    every = [quiet_of("silence", row) for row in silences]
    every += [quiet_of("window", row) for row in windows]
    at = now.timestamp()
    return [quiet for quiet in every if quiet is not None and quiet.is_open(at)]


def silent(active: Sequence[Quiet], alerts: Iterable[Alert]) -> dict[str, Quiet]:
    """Return, by fingerprint, what keeps each of these alerts from people."""
    firing = (alert for alert in alerts if alert.state == "firing")
    found = ((alert.fingerprint, silenced_by(active, alert.labels)) for alert in firing)
    return {fingerprint: quiet for fingerprint, quiet in found if quiet is not None}


async def held_back(service: AlertService, active: Sequence[Quiet]) -> Held:
    """Count what each keeps from people now, over the newest incidents that are open."""
    if not active:
        return Held({}, is_complete=True)
    listed = await service.incidents(limit=INCIDENTS_AT_MOST + 1)
    unresolved = [one for one in listed if one.state != "resolved"]
    counts: Counter[str] = Counter()
    is_complete = len(unresolved) <= INCIDENTS_AT_MOST
    for one in unresolved[:INCIDENTS_AT_MOST]:
        if not one.firing:
            continue
        detail = await service.incident(one.number, members=ALERTS_AT_MOST)
        alerts = [member.alert for member in detail.members]
        counts.update(quiet.name for quiet in silent(active, alerts).values())
        is_complete = is_complete and one.alerts <= ALERTS_AT_MOST
    return Held(dict(counts), is_complete)
