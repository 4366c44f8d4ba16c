"""What an objective means, in words and figures, for the command line and for the console."""

from datetime import timedelta
from typing import Final

from msgspec import Struct

from abops.inventory.model import Inventory, Objective
from abops.kernel.quantities import format_duration, humanize_seconds
from abops.observability.slo.alerts import burn_expr
from abops.observability.slo.budget import DAY, FAST, HOUR, SLOW, allowed_minutes, time_to_fire
from abops.observability.slo.cases import Burn
from abops.observability.slo.measure import Measure, measure
from abops.observability.slo.recordings import FIVE

RATES: Final = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005)
"""Shares of bad events that the table of times answers for."""
_MINUTE: Final = timedelta(minutes=1)
_DAYS_AND_HOURS: Final = 2 * DAY


class Firing(Struct, frozen=True):
    """What happens when events begin to go wrong at a steady share. None: never."""

    ratio: float
    page: timedelta | None
    ticket: timedelta | None
    spent: timedelta | None


class Explanation(Struct, frozen=True):
    """An objective, explained."""

    objective: Objective
    promise: str
    counted: str
    events: str
    hurts: str
    bad: str
    """PromQL: bad events a second."""
    total: str
    """PromQL: all events a second."""
    page: str
    """PromQL of the alert that pages."""
    ticket: str
    minutes: float
    """Of full outage that the budget pays for."""
    table: tuple[Firing, ...]

    def allowed(self, rate: float) -> float:
        """Return how many bad events the budget allows at `rate` events a second."""
        return rate * self.objective.window.total_seconds() * self.objective.budget


def explain(objective: Objective, inventory: Inventory) -> Explanation:
    """Explain an objective."""
    what = measure(objective, inventory)
    floors = objective.min_bad_events
    bad = what.bad_of(FIVE, "rate")
    total = what.total_of(FIVE, "rate")
    return Explanation(
        objective=objective,
        promise=promise(objective, what),
        counted=what.counted,
        events=what.events,
        hurts=what.hurts,
        bad=f"{bad} or 0 * {total}",
        total=total,
        page=burn_expr(Burn(objective, FAST, floors.page)),
        ticket=burn_expr(Burn(objective, SLOW, floors.ticket)),
        minutes=allowed_minutes(objective),
        table=_table(objective),
    )


def promise(objective: Objective, what: Measure) -> str:
    """Say what is promised: 95 % of requests within 0.5 s, over 30 days."""
    good = f"within {_limit(objective.threshold)}" if objective.threshold else "good"
    window = f"{objective.window.days} days"
    return f"{objective.objective:g} % of {what.events} {good}, over {window}"


def _limit(threshold: timedelta) -> str:
    seconds = threshold.total_seconds()
    return f"{seconds:g} s" if threshold < _MINUTE else format_duration(threshold)


def _table(objective: Objective) -> tuple[Firing, ...]:
    """Return the rates above the budget, and the first that it allows."""
    rows = []
    for ratio in RATES:
        is_over = ratio > objective.budget
        rows.append(
            Firing(
                ratio,
                time_to_fire(FAST, objective, ratio),
                time_to_fire(SLOW, objective, ratio),
                objective.window * (objective.budget / ratio) if is_over else None,
            )
        )
        if not is_over:
            break
    return tuple(rows)


def in_words(moment: timedelta | None, never: str = "never") -> str:
    """Write how long something takes: 52 s, 3m 40s, 14h 24m, 3.2 days."""
    if moment is None:
        return never
    if moment >= _DAYS_AND_HOURS:
        return f"{moment / DAY:.3g} days"
    if moment >= HOUR:
        return f"{moment // HOUR}h {int(moment.total_seconds()) % 3600 // 60:02d}m"
    return humanize_seconds(moment.total_seconds())
