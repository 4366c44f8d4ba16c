"""Where every objective stands, from what Prometheus says in one answer."""

from collections.abc import Iterable, Mapping
from typing import Final

from abops.inventory.model import Objective
from abops.observability.slo.budget import Standing

_ERRORS: Final = "slo:sli_error:ratio_period"
_LEFT: Final = "slo:period_error_budget_remaining:ratio"
_BURN_1H: Final = "slo:sli_error:ratio_rate1h"
_BURN_6H: Final = "slo:sli_error:ratio_rate6h"
_FREEZE: Final = "slo:deploy_freeze:bool"
_BAD: Final = "slo:bad_events:period"
_RATE: Final = "slo:total:rate5m"
_NAMES: Final = (_ERRORS, _LEFT, _BURN_1H, _BURN_6H, _FREEZE, _BAD, _RATE, "slo_info")
PAGE, TICKET, BLIND = "SLOErrorBudgetBurnFast", "SLOErrorBudgetBurnSlow", "SLONoData"
QUERY: Final = (
    f'{{__name__=~"{"|".join(_NAMES)}",slo!=""}}'
    f' or ALERTS{{alertname=~"{PAGE}|{TICKET}|{BLIND}",alertstate="firing"}}'
)
"""Everything that the table of objectives needs: some ten series for each of them."""

Labelled = tuple[Mapping[str, str], float]


def standings(objectives: Iterable[Objective], answer: Iterable[Labelled]) -> tuple[Standing, ...]:
    """Return where each objective stands in each environment, the worst first.

    `answer` are the series that QUERY selects. An objective without any of them is there too.
    """
    values: dict[tuple[str, str], dict[str, float]] = {}
    for labels, value in answer:
        name = labels.get("__name__", "")
        kind = labels.get("alertname", name) if name == "ALERTS" else name
        values.setdefault((labels.get("slo", ""), labels.get("env", "")), {})[kind] = value
    found = []
    for objective in objectives:
        places = sorted(env for slo, env in values if slo == objective.name)
        found += [_standing(objective, env, values[objective.name, env]) for env in places]
        if not places:
            found.append(_standing(objective, "", {}))
    return tuple(sorted(found, key=_urgency))


def _standing(objective: Objective, env: str, values: Mapping[str, float]) -> Standing:
    def burn(name: str) -> float | None:
        ratio = values.get(name)
        return None if ratio is None else ratio / objective.budget

    return Standing(
        slo=objective.name,
        service=objective.service,
        env=env,
        objective=objective.objective / 100,
        error_ratio=values.get(_ERRORS),
        left=values.get(_LEFT),
        burn_1h=burn(_BURN_1H),
        burn_6h=burn(_BURN_6H),
        is_frozen=values.get(_FREEZE, 0) > 0,
        is_paging=PAGE in values,
        is_warning=TICKET in values,
        has_data=_RATE in values and BLIND not in values,
        bad_events=values.get(_BAD),
        rate=values.get(_RATE),
    )


def _urgency(standing: Standing) -> tuple[bool, bool, bool, bool, float, str]:
    """Order by what is to be done: get up, stop deployments, look tomorrow, look why."""
    left = standing.left if standing.left is not None else 1.0
    return (
        not standing.is_paging,
        not standing.is_frozen,
        not standing.is_warning,
        standing.state != "no data",
        left,
        standing.slo,
    )
