"""What keeps alerts from people at this moment, and which alerts: for every page that says so."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from abops.alerts.model import Alert
from abops.alerts.route.matcher import MatcherSyntaxError, parse_matchers
from abops.alerts.route.silence import Quiet, silenced_by
from abops.alerts.route.window import Schedule, ScheduleError
from abops.alerts.store.duty import SilenceRow

What = Literal["silence", "window"]


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
