"""The cases of an objective's alerts, over its recorded series.

Cases sit a tenth over and under each limit of each pair of windows, and at the floor of bad
events. The recorded series themselves are tested from raw counters, in tests/rules.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from msgspec import Struct

from abops.inventory.model import Objective
from abops.observability.catalogue.alert import Case, Fired
from abops.observability.catalogue.cases import NEAR
from abops.observability.catalogue.wording import percent
from abops.observability.slo.budget import EVERY, FAST, PERIOD_EVERY, Leg
from abops.observability.slo.measure import Measure
from abops.observability.slo.recordings import span

_SEEN: Final = 4
_ENV: Final = "local"


class Burn(Struct, frozen=True):
    """One of the two alerts about the pace: its pairs of windows, and its floor."""

    objective: Objective
    legs: tuple[Leg, ...]
    floor: int

    @property
    def is_fast(self) -> bool:
        """Tell whether it pages."""
        return self.legs == FAST

    def summary(self, events: str, value: str = "{{ $value | humanizePercentage }}") -> str:
        """Return what the alert says; `value` is the share of bad events."""
        promise = f"{self.objective.objective:g} % were promised"
        pace = "fast" if self.is_fast else "too fast"
        return (
            f"{self.objective.name}: {value} of {events} are bad, {promise};"
            f" the error budget goes {pace}"
        )


def burn_cases(burn: Burn, events: str) -> tuple[Case, ...]:
    """Return the cases of one of the two alerts about the pace."""
    cases = [case for leg in burn.legs for case in _leg_cases(burn, leg, events)]
    return (*cases, Case("no data", {}, 2 * EVERY))


def _leg_cases(burn: Burn, leg: Leg, events: str) -> list[Case]:
    limit = leg.factor(burn.objective.window) * burn.objective.budget
    over, under = limit * (1 + NEAR), limit * (1 - NEAR)
    enough = float(burn.floor)
    name = f"{span(leg.short)} and {span(leg.long)}"
    fired = (_fired(burn.objective, burn.summary(events, percent(over))),)
    at = _SEEN * EVERY

    def history(short: float, long: float, bad: float) -> dict[str, str]:
        return _recorded(
            burn.objective,
            {
                f"slo:sli_error:ratio_rate{span(leg.short)}": short,
                f"slo:sli_error:ratio_rate{span(leg.long)}": long,
                f"slo:bad_events:increase{span(leg.long)}": bad,
            },
        )

    return [
        Case(f"{name}: over the limit", history(over, over, 100 * enough), at, fired),
        Case(f"{name}: just enough bad events", history(over, over, enough), at, fired),
        Case(f"{name}: one bad event too few", history(over, over, enough - 1), at),
        Case(f"{name}: it is over", history(under, over, 100 * enough), at),
        Case(f"{name}: it has only begun", history(over, under, 100 * enough), at),
        Case(f"{name}: no events", history(over, over, 100 * enough) | _gone(leg, burn), at),
    ]


def _gone(leg: Leg, burn: Burn) -> dict[str, str]:
    ended = "1x1 stale"
    return {
        _series(f"slo:sli_error:ratio_rate{span(w)}", burn.objective): ended
        for w in (leg.short, leg.long)
    }


def exhausted_cases(objective: Objective) -> tuple[Case, ...]:
    """Return the cases of a budget that is gone, or nearly."""
    floor = objective.min_bad_events.ticket

    def history(left: float, bad: float) -> dict[str, str]:
        return _recorded(
            objective,
            {"slo:period_error_budget_remaining:ratio": left, "slo:bad_events:period": bad},
        )

    def fired(left: float) -> tuple[Fired, ...]:
        said = f"{objective.name}: the error budget of {span(objective.window)} is spent"
        return (_fired(objective, f"{said} ({percent(left)} left)"),)

    at = 2 * PERIOD_EVERY
    return (
        Case("overspent", history(-0.25, floor + 1), at, fired(-0.25)),
        Case("exactly spent", history(0, floor), at, fired(0)),
        Case("a little is left", history(0.01, 100 * floor), at),
        Case("spent by too few bad events to say so", history(-2, floor - 1), at),
        Case("no data", {}, at),
    )


def no_data_cases(objective: Objective, what: Measure, hold: timedelta) -> tuple[Case, ...]:
    """Return the cases of an objective that nothing feeds."""
    summary = f"{objective.name}: nothing has counted {what.events} for half an hour"
    info = {_series("slo_info", objective): "1x200"}
    alive = {_example(what.alive or what.total[0]): "7x200"}
    fired = (_fired(objective, summary),)
    cases = [
        Case("it is measured", info | alive, hold + 2 * EVERY),
        Case("the environment is not watched", {}, hold + 2 * EVERY),
    ]
    if not what.is_expected:
        seen = {_series("slo:total:rate5m", objective): "0.1 0.1 stale"}
        return (
            Case("nothing, and there was once", info | seen, hold + EVERY, fired),
            Case("never seen: not yet installed", info, hold + 2 * EVERY),
            *cases,
        )
    return (
        Case("nothing", info, hold, fired),
        Case("not before its hold", info, hold - EVERY),
        *cases,
    )


def _fired(objective: Objective, summary: str) -> Fired:
    return Fired({"env": _ENV, "slo": objective.name, "service": objective.service}, summary)


def _recorded(objective: Objective, values: Mapping[str, float]) -> dict[str, str]:
    return {_series(name, objective): f"{value:.9g}x20" for name, value in values.items()}


def _series(name: str, objective: Objective) -> str:
    return f'{name}{{env="{_ENV}",service="{objective.service}",slo="{objective.name}"}}'


def _example(selector: str) -> str:
    """Return a series that a selector selects: its equalities hold, the rest is left out."""
    name, _brace, inside = selector.partition("{")
    kept = [f'env="{_ENV}"']
    kept += [f'{label}="{value}"' for label, value in re.findall(r'(\w+)="([^"]*)"', inside)]
    kept += [
        f'{label}="{value.partition("|")[0]}"'
        for label, value in re.findall(r'(\w+)=~"(\w+[^"]*)"', inside)
    ]
    return f"{name}{{{','.join(kept)}}}"
