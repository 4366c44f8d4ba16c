"""The recorded series of an objective: error ratios over seven windows, sums, and the budget.

Windows up to an hour are read from the raw counters, so that a page comes at the computed second.
Longer ones are summed from the recorded five-minute rates, which costs a hundredth of it and blurs
their edges by five minutes; what they decide takes hours. Sums weigh with traffic: an outage in a
quiet night costs what it cost the people who were there.

No events is no ratio (`> 0`); no bad ones is a ratio of zero (`or 0 *`).
"""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Final

from abops.inventory.model import Inventory, Objective
from abops.kernel.quantities import format_duration
from abops.observability.catalogue.recording import Recording
from abops.observability.slo.budget import DAY, EVERY, HOUR, MINUTE
from abops.observability.slo.measure import Measure, measure

_SUMMED: Final = (2 * HOUR, 6 * HOUR, DAY, 3 * DAY)
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
FIVE: Final = 5 * MINUTE
_SECONDS: Final = f"{EVERY.total_seconds():g}"
"""Numbers of events are sums of rates over evaluations, times this."""
_HERE: Final = 'group by (env) (up{env!=""})'
"""One series for each environment that this Prometheus watches: constants get their env by it."""


def span(window: timedelta) -> str:
    """Write a window as names and ranges do: 5m, 1h, 3d."""
    return f"{window.days}d" if window.days else format_duration(window)


def group_of(objective: Objective) -> str:
    """Return the name of the group of an objective's series and alerts."""
    return f"slo-{objective.name}"


def period_group_of(objective: Objective) -> str:
    """Return the name of the group that looks at the whole window."""
    return f"slo-period-{objective.name}"


def named(series: str, objective: Objective) -> str:
    """Return the selector of one of the objective's own series."""
    return f'{series}{{slo="{objective.name}"}}'


def objective_recordings(objective: Objective, inventory: Inventory) -> tuple[Recording, ...]:
    """Return the series of an objective, each after those it reads."""
    what = measure(objective, inventory)
    rows = {
        **_constants(objective),
        **_rates(objective, what),
        **_windows(objective, what),
    }
    group = group_of(objective)
    return (
        _recording(objective, "slo_info", _HERE, group, _described(objective, inventory)),
        *(_recording(objective, name, expr, group) for name, expr in rows.items()),
    )


def period_recordings(objective: Objective) -> tuple[Recording, ...]:
    """Return the series over the whole window."""
    group = period_group_of(objective)
    whole = f"[{span(objective.window)}]"
    errors = f"sum_over_time({named('slo:errors:rate5m', objective)}{whole})"
    total = f"sum_over_time({named('slo:total:rate5m', objective)}{whole})"
    ratio, bad = "slo:sli_error:ratio_period", "slo:bad_events:period"
    left = "slo:period_error_budget_remaining:ratio"
    rows = {
        ratio: f"{errors} / ({total} > 0)",
        bad: f"{errors} * {_SECONDS}",
        left: f"1 - {named(ratio, objective)} / {objective.budget:g}",
        "slo:deploy_freeze:bool": (
            f"({named(left, objective)} <= bool 0)"
            f" * ({named(bad, objective)} >= bool {objective.min_bad_events.ticket})"
        ),
    }
    return tuple(_recording(objective, name, expr, group) for name, expr in rows.items())


def _recording(
    objective: Objective, record: str, expr: str, group: str, more: Mapping[str, str] = _NOTHING
) -> Recording:
    labels = {"slo": objective.name, "service": objective.service, **more}
    return Recording(record=record, expr=expr, group=group, labels=labels)


def _described(objective: Objective, inventory: Inventory) -> dict[str, str]:
    part = inventory.part(objective.service)
    return {
        "sli": objective.sli,
        "objective": f"{objective.objective:g}",
        "window": span(objective.window),
        "threshold": format_duration(objective.threshold) if objective.threshold else "",
        "tier": str(part.tier),
        "team": part.team,
    }


def _constants(objective: Objective) -> dict[str, str]:
    return {
        "slo:objective:ratio": f"{_HERE} * {objective.objective / 100:.9g}",
        "slo:error_budget:ratio": f"{_HERE} * {objective.budget:g}",
    }


def _rates(objective: Objective, what: Measure) -> dict[str, str]:
    total, errors = "slo:total:rate5m", "slo:errors:rate5m"
    ratio = "slo:sli_error:ratio_rate5m"
    return {
        total: what.total_of(FIVE, "rate"),
        errors: f"{what.bad_of(FIVE, 'rate')} or 0 * {_by_env(named(total, objective))}",
        ratio: f"{named(errors, objective)} / ({named(total, objective)} > 0)",
        "slo:current_burn_rate:ratio": f"{named(ratio, objective)} / {objective.budget:g}",
    }


def _windows(objective: Objective, what: Measure) -> dict[str, str]:
    half, hour, bad = (
        what.total_of(30 * MINUTE, "rate"),
        what.total_of(HOUR, "increase"),
        "slo:bad_events:increase1h",
    )
    rows = {
        "slo:sli_error:ratio_rate30m": (
            f"({what.bad_of(30 * MINUTE, 'rate')} or 0 * {half}) / ({half} > 0)"
        ),
        bad: f"{what.bad_of(HOUR, 'increase')} or 0 * {hour}",
        "slo:sli_error:ratio_rate1h": f"{_by_env(named(bad, objective))} / ({hour} > 0)",
    }
    for window in _SUMMED:
        errors = f"sum_over_time({named('slo:errors:rate5m', objective)}[{span(window)}])"
        total = f"sum_over_time({named('slo:total:rate5m', objective)}[{span(window)}])"
        if window != 2 * HOUR:  # a shorter window, which only says that it still goes on
            rows[f"slo:bad_events:increase{span(window)}"] = f"{errors} * {_SECONDS}"
        rows[f"slo:sli_error:ratio_rate{span(window)}"] = f"{errors} / ({total} > 0)"
    return rows


def _by_env(series: str) -> str:
    """Drop what a recorded series has beside env: the rule writes it again."""
    return f"sum by (env) ({series})"
