"""The cases of an objective's alerts, over its recorded series.

Cases sit a tenth over and under each limit of each pair of windows, and at the floor of bad
events. The recorded series themselves are tested from raw counters, in tests/rules.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from msgspec import Struct

from abops.inventory.matchers import Matcher, parse_matchers
from abops.inventory.model import Objective
from abops.observability.catalogue.alert import Case, Fired
from abops.observability.catalogue.cases import NEAR
from abops.observability.catalogue.wording import percent
from abops.observability.slo.budget import EVERY, FAST, PERIOD_EVERY, Leg
from abops.observability.slo.measure import Measure
from abops.observability.slo.recordings import span

_SEEN: Final = 4
_ENV: Final = "local"
_ALWAYS: Final = "1x1200"
NO_DATA_STEP: Final = timedelta(minutes=10)
"""What is missed for half an hour within a week needs no finer steps."""


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
    other = _of_another(cases[0].series, burn.objective)
    at = cases[0].at
    return (*cases, Case("another objective burns", other, at), Case("no data", {}, 2 * EVERY))


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
        Case(f"{name}: too few bad events", history(over, over, enough * (1 - NEAR)), at),
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
        Case("spent by too few bad events to say so", history(-2, floor * (1 - NEAR)), at),
        Case("another is overspent", _of_another(history(-2, 2 * floor), objective), at),
        Case("no data", {}, at),
    )


def no_data_cases(objective: Objective, what: Measure, hold: timedelta) -> tuple[Case, ...]:
    """Return the cases of an objective that nothing feeds."""
    summary = f"{objective.name}: nothing has counted {what.events} for half an hour"
    fired = (_fired(objective, summary),)
    info = {_series("slo_info", objective): _ALWAYS}
    seen: dict[str, str] = {}
    if not what.is_expected:
        seen = {_series("slo:total:rate5m", objective): "0.1x1 stale"}
    blind = info | seen
    selectors = (what.alive,) if what.alive else what.total
    others = {one: _ALWAYS for selector in selectors for one in _refused(selector)}
    measured = [
        Case(f"it is measured: {selector.partition('{')[0]}", blind | one, hold + NO_DATA_STEP)
        for selector in selectors
        for one in ({_example(selector): _ALWAYS},)
    ]
    # What was seen is gone at the second step, and missed from then on.
    begins = 2 * NO_DATA_STEP if seen else timedelta()
    return (
        Case("nothing", blind, begins + hold, fired),
        Case("others are measured", blind | others, begins + hold, fired),
        Case("not before its hold", blind, hold - NO_DATA_STEP),
        Case("another is blind", _of_another(blind, objective), begins + hold),
        Case("the environment is not watched", seen, begins + hold),
        *measured,
        *(_seen_cases(blind, info, fired) if seen else ()),
    )


def _seen_cases(
    blind: dict[str, str], info: dict[str, str], fired: tuple[Fired, ...]
) -> tuple[Case, ...]:
    day = timedelta(days=1)
    return (
        Case("never seen: not yet installed", info, 1 * day),
        Case("seen six days ago", blind, 6 * day, fired),
        Case("seen eight days ago: taken away", blind, 8 * day),
    )


def _fired(objective: Objective, summary: str) -> Fired:
    return Fired({"env": _ENV, "slo": objective.name, "service": objective.service}, summary)


def _of_another(series: Mapping[str, str], objective: Objective) -> dict[str, str]:
    """Return the same series of an objective that is not this one."""
    mine = f'slo="{objective.name}"'
    return {name.replace(mine, 'slo="other"'): values for name, values in series.items()}


def _recorded(objective: Objective, values: Mapping[str, float]) -> dict[str, str]:
    return {_series(name, objective): f"{value:.9g}x20" for name, value in values.items()}


def _series(name: str, objective: Objective) -> str:
    return f'{name}{{env="{_ENV}",service="{objective.service}",slo="{objective.name}"}}'


def _example(selector: str) -> str:
    """Return a series that a selector selects."""
    name, matchers = _parsed(selector)
    return _written(name, [(m.label, _meets(m)) for m in matchers if _meets(m)])


def _refused(selector: str) -> list[str]:
    """Return series that a selector would select without one of its matchers."""
    name, matchers = _parsed(selector)
    return [
        _written(
            name,
            [
                (m.label, _fails(m) if m == odd else _meets(m))
                for m in matchers
                if m == odd or _meets(m)
            ],
        )
        for odd in matchers
    ]


def _parsed(selector: str) -> tuple[str, tuple[Matcher, ...]]:
    name, _brace, inside = selector.partition("{")
    return name, parse_matchers(inside.removesuffix("}"))


def _written(name: str, labels: list[tuple[str, str]]) -> str:
    inside = ",".join(f'{label}="{value}"' for label, value in [("env", _ENV), *labels])
    return f"{name}{{{inside}}}"


def _meets(matcher: Matcher) -> str:
    """Return a value that a matcher takes; none for what it only refuses."""
    if matcher.operator.startswith("!"):
        return ""
    return matcher.value.partition("|")[0] if matcher.operator == "=~" else matcher.value


def _fails(matcher: Matcher) -> str:
    """Return a value that a matcher refuses."""
    return matcher.value.partition("|")[0] if matcher.operator.startswith("!") else "other"
