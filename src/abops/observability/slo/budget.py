"""The arithmetic of error budgets: burn rates, when an alert is due, and what it means.

A burn rate of 1 spends the budget in exactly the objective's window. The alerts follow the
multi-window scheme of Google's SRE workbook: the longer window says that it matters, the shorter
one that it still goes on.
"""

from datetime import timedelta
from typing import Final, Literal

from msgspec import Struct

from abops.inventory.model import Objective

State = Literal["ok", "burning", "exhausted", "no data"]
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
EVERY: Final = timedelta(seconds=30)
"""Between two evaluations of an objective's series."""
PERIOD_EVERY: Final = timedelta(minutes=4)
"""Between two sums over the whole window. Prometheus looks five minutes back: at exactly five
minutes a series would be missing now and then."""
WINDOWS: Final = (5 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 6 * HOUR, DAY, 3 * DAY)


class Leg(Struct, frozen=True):
    """One pair of windows of an alert, and the share of the budget that is at stake."""

    short: timedelta
    long: timedelta
    share: float

    def factor(self, window: timedelta) -> float:
        """Return the burn rate that spends `share` of the budget within the longer window."""
        return round(self.share * window / self.long, 6)

    def fires_after(self, objective: Objective, ratio: float) -> timedelta | None:
        """Return when this leg is true after errors began at `ratio`; None: never.

        The share of bad events in the longer window grows in step with time; until then there
        were none.
        """
        limit = self.factor(objective.window) * objective.budget
        return self.long * (limit / ratio) if ratio > limit else None


FAST: Final = (Leg(5 * MINUTE, HOUR, 0.02), Leg(30 * MINUTE, 6 * HOUR, 0.05))
SLOW: Final = (Leg(2 * HOUR, DAY, 0.1), Leg(6 * HOUR, 3 * DAY, 0.1))


def time_to_fire(legs: tuple[Leg, ...], objective: Objective, ratio: float) -> timedelta | None:
    """Return when an alert fires after errors began at a steady `ratio`; None: never."""
    due = [at for leg in legs if (at := leg.fires_after(objective, ratio)) is not None]
    return min(due, default=None)


def allowed_minutes(objective: Objective) -> float:
    """Return how many minutes of full outage the budget pays for, with even traffic."""
    return objective.window * objective.budget / MINUTE


def time_to_exhaustion(left: float, burn: float, objective: Objective) -> timedelta | None:
    """Return when the budget ends at this burn rate; None: it does not."""
    if left <= 0:
        return timedelta()
    return objective.window * (left / burn) if burn > 0 else None


class Standing(Struct, frozen=True):
    """Where an objective stands in one environment. None: there is no such value."""

    slo: str
    service: str
    env: str
    objective: float
    """Share of events that must be good."""
    error_ratio: float | None = None
    """Share of bad events over the whole window so far."""
    left: float | None = None
    burn_1h: float | None = None
    burn_6h: float | None = None
    is_frozen: bool = False
    is_paging: bool = False
    is_warning: bool = False
    has_data: bool = True
    bad_events: float | None = None
    """In the whole window so far."""
    rate: float | None = None
    """Events a second, over the last five minutes."""

    @property
    def attained(self) -> float | None:
        """Share of events that were good."""
        return None if self.error_ratio is None else 1 - self.error_ratio

    @property
    def state(self) -> State:
        """Say how the objective stands, the worst first: what people are paged for."""
        if self.is_paging:
            return "burning"
        if self.is_frozen:
            return "exhausted"
        if self.is_warning:
            return "burning"
        return "ok" if self.left is not None else "no data"
