"""Whether an alert is kept from people: a silence that somebody asked for, or a planned window.

What is silenced is stored and grouped like anything else; only nobody is told. A critical alert
about security is silenced only by matchers that name it: its category or its name.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from abops.alerts.route.matcher import matches
from abops.alerts.route.window import Schedule, open_until
from abops.inventory.matchers import Matcher
from abops.kernel.clock import moment

_NAMING = ("category", "alertname")


class Quiet(Struct, frozen=True):
    """A silence or a window, as far as it matters for whether people are told."""

    name: str
    """`silence 3`, `window 2`."""
    reason: str
    matchers: tuple[Matcher, ...]
    starts_at: float = 0.0
    ends_at: float = 0.0
    schedule: Schedule | None = None
    """None: it is open once, from start to end."""

    def is_open(self, now: float) -> bool:
        """Say whether it silences at this moment."""
        if self.schedule is None:
            return self.starts_at <= now < self.ends_at
        return open_until(self.schedule, moment(now)) is not None


def silenced_by(active: Iterable[Quiet], labels: Mapping[str, str]) -> Quiet | None:
    """Return the first that silences an alert with these labels. None: people are told."""
    for quiet in active:
        if matches(quiet.matchers, labels) and _allowed(quiet.matchers, labels):
            return quiet
    return None


def _allowed(matchers: Sequence[Matcher], labels: Mapping[str, str]) -> bool:
    if labels.get("severity") != "critical" or labels.get("category") != "security":
        return True
    return any(matcher.operator == "=" and matcher.label in _NAMING for matcher in matchers)
