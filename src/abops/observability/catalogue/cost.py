"""Alerts about money: budgets, days that cost too much, what is paid for and not used.

The names of the series are those that the cost guard publishes; `scope` is what a budget is for.
"""

from datetime import timedelta
from typing import Final

from abops.inventory.model import Inventory
from abops.observability.catalogue.alert import Alert, Case, Fired, Runbook, Severity
from abops.observability.catalogue.cases import STEP, Timing, around, labelled, steady
from abops.observability.catalogue.commands import shell
from abops.observability.catalogue.kubernetes_place import cluster
from abops.observability.catalogue.place import Place
from abops.observability.catalogue.wording import amount, percent

GROUP: Final = "cost"
BOARD: Final = "cost"
_HOUR: Final = timedelta(hours=1)
_LATER: Final = 4 * STEP
_SCOPE: Final = {"env": "production", "scope": "production"}
_BUDGET: Final = "abops_cost_budget_month"
_FORECAST: Final = "abops_cost_forecast_month"
_SPENT: Final = "abops_cost_spent_month"
_REPORT: Final = shell(
    "abops cost report                          # by team and service",
    "abops cost trend                           # what grew, and since when",
    "abops cost unused                          # paid for by nobody's need",
)


def cost_alerts(inventory: Inventory) -> tuple[Alert, ...]:
    """Return the alerts about money; none where nobody runs a cluster."""
    runs = cluster(inventory)
    if runs is None:
        return ()
    where = Place("cost", 3, runs.team)
    return (
        _over_budget(where, "critical", _SPENT, ""),
        _over_budget(where, "warning", _FORECAST, "0.5"),
        _over_budget(where, "info", _FORECAST, "0.9"),
        _day_anomaly(where),
        _idle(where),
        _saving(where),
    )


_DOES: Final = {"critical": "has spent", "warning": "will probably spend", "info": "may spend"}
_REASON: Final = (
    "What is spent is certain (critical); the middle of the forecast is as likely too low as too"
    " high (warning); one month in ten ends above the forecast's 90 % (info)."
)


def _over_budget(where: Place, severity: Severity, metric: str, quantile: str) -> Alert:
    does = _DOES[severity]
    which = f'{metric}{{quantile="{quantile}"}}' if quantile else metric
    labels = {**_SCOPE, "quantile": quantile} if quantile else _SCOPE

    def budget(share: float) -> dict[str, str]:
        used = labelled(metric, steady(1200 * share), labels)
        return used | labelled(_BUDGET, steady(1200), _SCOPE)

    other = labelled(_BUDGET, steady(1200), _SCOPE) | labelled(
        metric, steady(9000), {**_SCOPE, "quantile": "0.1"}
    )
    no_budget = labelled(_BUDGET, "0x40", _SCOPE) | labelled(metric, "9x40", labels)
    return Alert(
        name="CostForecastOverBudget",
        instance=severity,
        group=GROUP,
        severity=severity,
        expr=(
            f"max by (env, scope) ({which}) / (max by (env, scope) ({_BUDGET}) > 0) > {{threshold}}"
        ),
        threshold=1,
        unit="of the month's budget",
        reason=_REASON,
        summary=(
            f"{{{{ $labels.scope }}}} {does} {{{{ $value | humanizePercentage }}}} of its budget"
        ),
        impact="Nothing fails; the bill is higher than agreed, and somebody has to explain it.",
        labels=where.own_labels("budget", "cost"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "What a budget pays for costs more this month than agreed: surely (spent),"
                " probably (the middle of the forecast) or perhaps (its upper edge)."
            ),
            diagnosis=_REPORT + "\nA jump has a day: CostDayAnomaly names it. A slope is growth:"
            " compare with the number of users on the board business-metrics.",
            mitigation=(
                "Remove what nobody needs, then what is too large:\n\n"
                + shell(
                    "abops cost unused                     # each line with its command",
                    "abops cost rightsize --patch-dir patches/",
                    "abops cost budget --check",
                )
                + "\nGrowth that is wanted: raise the budget in platform.yaml, with its owner. Do"
                " not lower `maxReplicas` or the retention of backups to save: that is paid for"
                " with an outage."
            ),
        ),
        cases=(
            *around(
                1,
                budget,
                lambda v: Fired(_SCOPE, f"production {does} {percent(v)} of its budget"),
            ),
            *((Case("another quantile", other, _LATER),) if quantile else ()),
            Case("no budget", no_budget, _LATER),
            Case("budget unknown", labelled(metric, "9000x40", labels), _LATER),
        ),
    )


def _day_anomaly(where: Place) -> Alert:
    day, usual, spread = "abops_cost_day", "abops_cost_day_usual", "abops_cost_day_mad"
    limit, often = 0.3, 3
    of = {metric: f"max by (env, scope) ({metric})" for metric in (day, usual, spread)}

    def history(more: float, mad: float = 5) -> dict[str, str]:
        return (
            labelled(day, steady(100 * (1 + more)), _SCOPE)
            | labelled(usual, steady(100), _SCOPE)
            | labelled(spread, steady(mad), _SCOPE)
        )

    def fired(more: float) -> Fired:
        return Fired(_SCOPE, f"production cost {percent(more)} more than is usual on such a day")

    return Alert(
        name="CostDayAnomaly",
        group=GROUP,
        severity="warning",
        expr=(
            f"{of[day]} / ({of[usual]} > 0) - 1 > {{threshold}}"
            f" and {of[day]} - {of[usual]} > {often} * {of[spread]}"
        ),
        threshold=limit,
        unit="more than is usual",
        reason=(
            "Against the same weekdays of the last weeks, and more than three times their usual"
            " spread: a small scope swings by a third without any meaning."
        ),
        summary=(
            "{{ $labels.scope }} cost {{ $value | humanizePercentage }} more than is usual on such"
            " a day"
        ),
        impact="Nothing fails; every day like this adds to the bill.",
        labels=where.own_labels("spending", "cost"),
        board=BOARD,
        runbook=Runbook(
            meaning="The last whole day cost a third more than such a weekday usually does.",
            diagnosis=_REPORT
            + "\nUsual suspects: an autoscaler at its maximum (KubeHpaMaxedOut), a loop that"
            " writes logs, a test environment that was left on, traffic between zones, a stolen"
            " credential (machines that nobody asked for, in another region).",
            mitigation=(
                "Machines that nobody knows: that is a break-in; take the credential away first,"
                " and page security. Left on: switch it off. Load: nothing to do. Do not switch"
                " off what you do not know; ask the team in the report."
            ),
        ),
        cases=(
            *around(limit, history, fired),
            Case("it swings like that", history(0.5, mad=18), _LATER),
            Case("just beyond its swings", history(0.5, mad=15.5), _LATER, (fired(0.5),)),
            Case("usual is unknown", labelled(day, "500x40", _SCOPE), _LATER),
            Case("nothing is usual", _nothing_usual(day, usual, spread), _LATER),
        ),
    )


def _nothing_usual(day: str, usual: str, spread: str) -> dict[str, str]:
    nothing = labelled(usual, "0x40", _SCOPE) | labelled(spread, "0x40", _SCOPE)
    return labelled(day, "5x40", _SCOPE) | nothing


def _idle(where: Place) -> Alert:
    metric, limit = "abops_cost_idle_month", 5
    labels = {"env": "production", "workload_namespace": "analyticbot", "workload": "ab-old"}
    return Alert(
        name="IdleWorkload",
        group=GROUP,
        severity="info",
        expr=f"sum by (env, workload_namespace, workload) ({metric}) > {{threshold}}",
        threshold=limit,
        unit="a month",
        hold=_HOUR,
        reason="Less than that is not worth anybody's time.",
        summary="{{ $labels.workload }} is not used and costs {{ $value | humanize }} a month",
        impact="None; it is money for nothing.",
        labels=where.own_labels("unused", "cost"),
        board=BOARD,
        step=10 * timedelta(minutes=1),
        runbook=Runbook(
            meaning=(
                "A workload, volume or address has not been used for as long as its kind needs to"
                " prove it (two days to a month)."
            ),
            diagnosis=shell(
                "abops cost unused                        # evidence and command for each",
                "kubectl get all,pvc -n NAMESPACE | grep WORKLOAD",
            ),
            mitigation=(
                "Ask its owner, then use the command that `abops cost unused` prints; nothing is"
                " ever removed by itself. For volumes make a snapshot first. Needed once a quarter:"
                " note it in platform.yaml, so that it is not named again."
            ),
        ),
        cases=around(
            limit,
            lambda v: labelled(metric, steady(v, 100), {**labels, "kind": "Deployment"}),
            lambda v: Fired(labels, f"ab-old is not used and costs {amount(v)} a month"),
            timing=Timing(hold=_HOUR, step=10 * timedelta(minutes=1)),
        ),
    )


def _saving(where: Place) -> Alert:
    saving, cost = "abops_cost_rightsizing_saving_month", "abops_cost_workload_month"
    limit = 0.1
    labels = {"env": "production", "workload_namespace": "analyticbot", "workload": "ab-api"}

    def history(share: float, spent: float = 1000) -> dict[str, str]:
        return labelled(saving, steady(1000 * share, 100), labels) | labelled(
            cost, steady(spent, 100), labels
        )

    return Alert(
        name="RightsizingSaving",
        group=GROUP,
        severity="info",
        expr=(f"sum by (env) ({saving}) / (sum by (env) ({cost}) > 0) > {{threshold}}"),
        threshold=limit,
        unit="of what all workloads cost",
        hold=_HOUR,
        reason="Sizes swing by some per cent with the season; a tenth is there to be had.",
        summary=(
            "Other sizes would save {{ $value | humanizePercentage }} of what workloads in"
            " {{ $labels.env }} cost"
        ),
        impact="None; it is money for room that nothing uses.",
        labels=where.own_labels("sizes", "cost"),
        board=BOARD,
        step=10 * timedelta(minutes=1),
        runbook=Runbook(
            meaning=(
                "The proposals for requests and limits, each back-tested on the history of its"
                " container, would save a tenth of the bill or more."
            ),
            diagnosis=shell("abops cost rightsize     # saving, risk and reason for each"),
            mitigation=(
                "Take the patches over in a pull request, the largest savings with the smallest"
                " risk first:\n\n"
                + shell("abops cost rightsize --patch-dir patches/ --format helm-values")
                + "\nDo not take all at once, and none on the eve of a peak."
            ),
        ),
        cases=(
            *around(
                limit,
                history,
                lambda v: Fired(
                    {"env": "production"},
                    f"Other sizes would save {percent(v)} of what workloads in production cost",
                ),
                timing=Timing(hold=_HOUR, step=10 * timedelta(minutes=1)),
            ),
            Case("nothing costs anything", history(0.5, 0), 2 * _HOUR),
            Case("cost unknown", labelled(saving, steady(500, 100), labels), 2 * _HOUR),
        ),
    )
