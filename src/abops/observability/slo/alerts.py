"""The four alerts of an objective: the budget goes fast, goes slowly, is gone, is not measured."""

from datetime import timedelta
from typing import Final

from abops.inventory.model import Inventory, Objective, Part
from abops.kernel.quantities import format_duration
from abops.observability.catalogue.alert import Alert
from abops.observability.slo import runbooks
from abops.observability.slo.budget import EVERY, FAST, PERIOD_EVERY, SLOW, Leg
from abops.observability.slo.cases import (
    NO_DATA_STEP,
    Burn,
    burn_cases,
    exhausted_cases,
    no_data_cases,
)
from abops.observability.slo.measure import Measure, measure
from abops.observability.slo.recordings import group_of, named, period_group_of, span

NO_DATA_FOR: Final = timedelta(minutes=30)
"""A restart, a deployment or a quiet quarter of an hour is no reason to look."""
SEEN_WITHIN: Final = timedelta(days=7)
BOARD: Final = "sla-slo"


def objective_alerts(objective: Objective, inventory: Inventory) -> tuple[Alert, ...]:
    """Return the alerts of an objective that stand in its group of 30 s."""
    what, part = measure(objective, inventory), inventory.part(objective.service)
    floors = objective.min_bad_events
    return (
        _burn(Burn(objective, FAST, floors.page), what, part),
        _burn(Burn(objective, SLOW, floors.ticket), what, part),
        _no_data(objective, what, part),
    )


def period_alerts(objective: Objective, inventory: Inventory) -> tuple[Alert, ...]:
    """Return the alert that stands beside the sums over the whole window."""
    part = inventory.part(objective.service)
    left = named("slo:period_error_budget_remaining:ratio", objective)
    bad = named("slo:bad_events:period", objective)
    return (
        Alert(
            name="SLOErrorBudgetExhausted",
            group=period_group_of(objective),
            severity="info",
            expr=f"{left} <= {{threshold}} and {bad} >= {objective.min_bad_events.ticket}",
            threshold=0,
            unit="ratio",
            reason="What was allowed to go wrong has gone wrong.",
            summary=(
                f"{objective.name}: the error budget of {span(objective.window)} is spent"
                " ({{ $value | humanizePercentage }} left)"
            ),
            impact="Changes that are no mends should wait: one more bad release breaks trust.",
            runbook=runbooks.EXHAUSTED,
            cases=exhausted_cases(objective),
            labels=_labels(objective, part),
            instance=objective.name,
            step=PERIOD_EVERY,
            board=BOARD,
        ),
    )


def burn_expr(burn: Burn) -> str:
    """Return the expression: one of the pairs of windows is over its limit, with bad events."""
    return " or ".join(f"({_leg(burn, leg)})" for leg in burn.legs)


def _leg(burn: Burn, leg: Leg) -> str:
    objective = burn.objective
    limit = f"{leg.factor(objective.window):g} * {objective.budget:g}"
    short, long = span(leg.short), span(leg.long)
    return (
        f"{named(f'slo:sli_error:ratio_rate{short}', objective)} > {limit}"
        f" and {named(f'slo:sli_error:ratio_rate{long}', objective)} > {limit}"
        f" and {named(f'slo:bad_events:increase{long}', objective)} >= {burn.floor}"
    )


def _burn(burn: Burn, what: Measure, part: Part) -> Alert:
    objective = burn.objective
    return Alert(
        name="SLOErrorBudgetBurnFast" if burn.is_fast else "SLOErrorBudgetBurnSlow",
        group=group_of(objective),
        severity="critical" if burn.is_fast else "warning",
        expr=burn_expr(burn),
        threshold=None,
        unit="",
        reason="",
        summary=burn.summary(what.events),
        impact=what.hurts,
        runbook=runbooks.FAST if burn.is_fast else runbooks.SLOW,
        cases=burn_cases(burn, what.events),
        labels=_labels(objective, part),
        instance=objective.name,
        step=EVERY,
        board=BOARD,
    )


def _no_data(objective: Objective, what: Measure, part: Part) -> Alert:
    alive = what.alive or " or ".join(what.total)
    info = f"max by (env, service, slo) ({named('slo_info', objective)})"
    seen = ""
    if not what.is_expected:
        total = named("slo:total:rate5m", objective)
        seen = f" and on (env) last_over_time({total}[{format_duration(SEEN_WITHIN)}])"
    return Alert(
        name="SLONoData",
        group=group_of(objective),
        severity="warning",
        expr=f"{info} unless on (env) group by (env) ({alive}){seen}",
        threshold=None,
        unit="",
        hold=NO_DATA_FOR,
        reason="",
        summary=f"{objective.name}: nothing has counted {what.events} for half an hour",
        impact="Nobody would learn that the promise is broken: the objective is blind.",
        runbook=runbooks.NO_DATA,
        cases=no_data_cases(objective, what, NO_DATA_FOR),
        labels=_labels(objective, part),
        instance=objective.name,
        step=NO_DATA_STEP,
        board=BOARD,
    )


def _labels(objective: Objective, part: Part) -> dict[str, str]:
    """Return the labels; slo and service again, because promtool compares rules by them."""
    return {
        "slo": objective.name,
        "service": objective.service,
        "component": "slo",
        "category": "slo",
        "tier": str(part.tier),
        "team": part.team,
    }
