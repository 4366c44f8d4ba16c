"""Board `ab-cost`: what it costs, who causes it, where it leads, and what could be saved."""

from functools import partial
from typing import Final

from abops.observability.boards.model import Board, Limit, Panel, Query, Row, chart, stat

E: Final = 'env=~"$env"'
_NONE: Final = "no data: abops cost guard publishes it"
_NO_BUDGET: Final = "no data: set budgets under `cost` in platform.yaml, then abops cost guard"
_NO_FORECAST: Final = "no data: abops cost forecast needs a week of history"
_NO_ADVICE: Final = "no data: abops cost rightsize needs a week of history"
_BY_SCOPE: Final = "max by (env, scope)"
_BUDGETS: Final = f"{_BY_SCOPE} (abops_cost_budget_month{{{E}}})"
_MIDDLE: Final = ',quantile="0.5"'
_EDGES: Final = ',quantile=~"0.[59]"'
_figure: Final = partial(stat, no_value=_NONE)


def cost_board() -> Board:
    """Return the board."""
    return Board(
        uid="ab-cost",
        title="Cost",
        description="Spending against budgets, by workload and team, and what is not needed.",
        tags=("cost",),
        span="30d",
        rows=(
            Row("Now", _now()),
            Row("Budgets", _budgets()),
            Row("Who causes it", _causes()),
            Row("What could be saved", _savings()),
        ),
    )


def _of_budget(metric: str, which: str = "") -> str:
    return f"{_BY_SCOPE} ({metric}{{{E}{which}}}) / ({_BUDGETS} > 0)"


def _now() -> tuple[Panel, ...]:
    return (
        _figure(
            "A month costs",
            "currencyUSD",
            f"sum(abops_cost_workload_month{{{E}}})",
            "What all workloads cost in a month at today's pace, idle room not included.",
        ),
        _figure(
            "Spent of the tightest budget",
            "percentunit",
            f"max({_of_budget('abops_cost_spent_month')})",
            "What this month has cost so far, of the budget that is nearest to its end.",
            Limit(0.8, "yellow"),
            Limit(1),
            no_value=_NO_BUDGET,
        ),
        _figure(
            "Forecast of the tightest budget",
            "percentunit",
            f"max({_of_budget('abops_cost_forecast_month', _MIDDLE)})",
            "The middle of the forecast for the whole month. Above 100 %: a warning.",
            Limit(0.9, "yellow"),
            Limit(1),
            no_value=_NO_FORECAST,
        ),
        _figure(
            "Yesterday, against usual",
            "percentunit",
            f"max({_BY_SCOPE} (abops_cost_day{{{E}}})"
            f" / ({_BY_SCOPE} (abops_cost_day_usual{{{E}}}) > 0) - 1)",
            "How much more yesterday cost than such a weekday usually does, in the worst scope.",
            Limit(0.15, "yellow"),
            Limit(0.3),
        ),
        _figure(
            "Not used, a month",
            "currencyUSD",
            f"sum(abops_cost_idle_month{{{E}}})",
            "Workloads, volumes and addresses that nothing uses.",
            no_value="no data: abops cost unused finds them",
        ),
        _figure(
            "To be saved by other sizes",
            "percentunit",
            f"sum(abops_cost_rightsizing_saving_month{{{E}}})"
            f" / (sum(abops_cost_workload_month{{{E}}}) > 0)",
            "Share of what workloads cost; the proposals are back-tested. From a tenth on it is"
            " worth a pull request.",
            Limit(0.1, "yellow"),
            no_value=_NO_ADVICE,
        ),
    )


def _budgets() -> tuple[Panel, ...]:
    return (
        chart(
            "Spent of each budget",
            "percentunit",
            "Since the first of the month. It should reach 100 % on the last day, not before.",
            Query(_of_budget("abops_cost_spent_month"), "{{scope}}"),
            limits=(Limit(1),),
            no_value=_NO_BUDGET,
        ),
        chart(
            "Forecast of each budget",
            "percentunit",
            "The whole month: middle of the forecast, and its upper edge (one month in ten is"
            " above).",
            Query(
                f"max by (env, scope, quantile) (abops_cost_forecast_month{{{E}{_EDGES}}})"
                f" / on (env, scope) group_left () ({_BUDGETS} > 0)",
                "{{scope}} {{quantile}}",
            ),
            limits=(Limit(1),),
            no_value=_NO_FORECAST,
        ),
        chart(
            "A day, and what is usual",
            "currencyUSD",
            "The last whole day at each moment, and the usual cost of such a weekday.",
            Query(f"{_BY_SCOPE} (abops_cost_day{{{E}}})", "{{scope}}"),
            Query(f"{_BY_SCOPE} (abops_cost_day_usual{{{E}}})", "{{scope}} usual"),
            no_value=_NONE,
        ),
    )


def _causes() -> tuple[Panel, ...]:
    cost = f"abops_cost_workload_month{{{E}}}"
    return (
        chart(
            "By team",
            "currencyUSD",
            "Monthly cost of each team's workloads.",
            Query(f"sum by (team) ({cost})", "{{team}}"),
            stacked=True,
            no_value=_NONE,
            width=12,
        ),
        chart(
            "By workload",
            "currencyUSD",
            "The ten most expensive workloads, a month.",
            Query(
                f"topk(10, sum by (workload_namespace, workload) ({cost}))",
                "{{workload_namespace}}/{{workload}}",
            ),
            no_value=_NONE,
            width=12,
        ),
    )


def _savings() -> tuple[Panel, ...]:
    return (
        Panel(
            title="Not used",
            description="What is paid for and not used, dearest first. Nothing is removed by"
            " itself: abops cost unused prints the command.",
            unit="currencyUSD",
            kind="table",
            width=12,
            queries=(
                Query(
                    "topk(15, sum by (env, workload_namespace, workload, kind)"
                    f" (abops_cost_idle_month{{{E}}}))"
                ),
            ),
            columns=("a month",),
            no_value="no data: abops cost unused finds them",
        ),
        Panel(
            title="Too large",
            description="Savings by other requests and limits, largest first.",
            unit="currencyUSD",
            kind="table",
            width=12,
            queries=(
                Query(
                    "topk(15, sum by (env, workload_namespace, workload)"
                    f" (abops_cost_rightsizing_saving_month{{{E}}}))"
                ),
            ),
            columns=("a month",),
            no_value=_NO_ADVICE,
        ),
    )
