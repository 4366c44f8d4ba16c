"""Board `ab-sla-slo`: what was promised, what was kept, and how much may still go wrong."""

from abops.observability.boards.model import FULL, Board, Limit, Panel, Query, Row, chart, stat
from abops.observability.targets import PROBE_INTERVAL

E = 'env=~"$env"'
MONTH_MINUTES = 43.2
"""Minutes that 99.9 % of 30 days leave for being down."""
_PROBED = f'probe_success{{{E},service="api"}}[30d]'
DOWN_MINUTES = (
    f"sum(count_over_time({_PROBED}) - sum_over_time({_PROBED}))"
    f" * {PROBE_INTERVAL.total_seconds():g} / 60"
)
"""Failed health checks, each for the time until the next one."""
BURN_LIMITS = (Limit(1, "yellow"), Limit(3, "yellow"), Limit(6, "orange"), Limit(14.4, "red"))
LEFT = "slo:period_error_budget_remaining:ratio"
BURN_1H = (
    f"slo:sli_error:ratio_rate1h{{{E}}} / on (env, service, slo) slo:error_budget:ratio{{{E}}}"
)
BURN_6H = (
    f"slo:sli_error:ratio_rate6h{{{E}}} / on (env, service, slo) slo:error_budget:ratio{{{E}}}"
)
NO_SLO = "no data: no traffic yet that an objective counts"


def objectives_board() -> Board:
    """Return the board."""
    return Board(
        uid="ab-sla-slo",
        title="Objectives",
        description="Service levels: what was promised, what was kept, what is left to spend.",
        tags=("slo",),
        span="24h",
        rows=(
            Row("Now", _now()),
            Row("Objectives", (_table(),)),
            Row("Error budgets", _budgets()),
            Row("Latency", _latency()),
            Row("Availability", _availability()),
            Row("Being told", _telling(), collapsed=True),
        ),
    )


def _now() -> tuple[Panel, ...]:
    down = DOWN_MINUTES
    return (
        stat(
            "Smallest budget left",
            "percentunit",
            f"clamp_min(min({LEFT}{{{E}}}), -1)",
            "The objective that has the least left. At zero, deploys that are no mends stop."
            " -100 %: spent twice or more; the table has the figure.",
            Limit(0, "yellow"),
            Limit(0.25, "green"),
            small_is_bad=True,
        ),
        stat(
            "Objectives missed",
            "short",
            f"count({LEFT}{{{E}}} <= 0) or vector(0)",
            "Objectives whose budget of 30 days is spent.",
            Limit(1),
        ),
        stat(
            "Seen from outside, 30 days",
            "percentunit",
            f'avg(avg_over_time(probe_success{{{E},service="api"}}[30d]))',
            "Share of health checks of the API that succeeded, for as long as Prometheus knows.",
            Limit(0.99, "yellow"),
            Limit(0.999, "green"),
            small_is_bad=True,
        ),
        stat(
            "Down in 30 days",
            "m",
            down,
            f"Minutes in which the API's health check failed; 99.9 % leave {MONTH_MINUTES}.",
            Limit(MONTH_MINUTES / 2, "yellow"),
            Limit(MONTH_MINUTES),
        ),
        stat(
            "Burning now",
            "short",
            f"count({BURN_1H} > 1) or vector(0)",
            "Objectives that spend faster than they may, over the last hour.",
            Limit(1, "yellow"),
            Limit(3),
        ),
        stat(
            "Slowest twentieth of requests",
            "s",
            f'max(service:http_server_request_duration_seconds:p95{{{E},service="api"}})',
            "Time within which 95 of 100 requests are answered. Promised: half a second.",
            Limit(0.5, "yellow"),
            Limit(1),
        ),
    )


def _table() -> Panel:
    by = "(env, service, slo)"
    return Panel(
        title="Objectives",
        description=(
            "Each objective: promise, what was kept over 30 days, budget left, how fast it is"
            " spent (1 = exactly all of it in 30 days), and when it ends at the pace of six hours."
        ),
        unit="short",
        kind="table",
        width=FULL,
        height=11,
        queries=(
            Query(f"max by {by} (slo:objective:ratio{{{E}}})"),
            Query(f"max by {by} (1 - (1 - {LEFT}{{{E}}}) * on {by} slo:error_budget:ratio{{{E}}})"),
            Query(f"max by {by} ({LEFT}{{{E}}})"),
            Query(f"max by {by} ({BURN_1H})"),
            Query(f"max by {by} ({BURN_6H})"),
            Query(f"max by {by} (clamp_min({LEFT}{{{E}}}, 0) * 30 / ({BURN_6H} > 0))"),
        ),
        columns=("objective", "kept", "budget left", "burn 1h", "burn 6h", "spent in"),
        column_units=("percentunit", "percentunit", "percentunit", "short", "short", "d"),
        decimals=2,
        no_value=NO_SLO,
    )


def _budgets() -> tuple[Panel, ...]:
    return (
        chart(
            "Budget left",
            "percentunit",
            # A new environment's first bad minutes are a hundred budgets: the rest would be flat.
            "What is left of each objective's budget of 30 days. Spent twice or more is drawn as"
            " -100 %.",
            Query(f"clamp_min(max by (slo) ({LEFT}{{{E}}}), -1)", "{{slo}}"),
            limits=(Limit(0),),
            no_value=NO_SLO,
        ),
        chart(
            "Burn rate over 1 h",
            "short",
            "How many times faster than allowed the budget is spent. 14.4 pages: two per cent of"
            " a month in an hour.",
            Query(f"max by (slo) ({BURN_1H})", "{{slo}}"),
            limits=BURN_LIMITS,
            no_value=NO_SLO,
        ),
        chart(
            "Burn rate over 6 h",
            "short",
            "The same over six hours; 6 pages, 3 over a day and 1 over three days warn.",
            Query(f"max by (slo) ({BURN_6H})", "{{slo}}"),
            limits=BURN_LIMITS,
            no_value=NO_SLO,
        ),
        chart(
            "Errors over budget",
            "percentunit",
            "Share of bad events over five minutes, by objective.",
            Query(f"max by (slo) (slo:sli_error:ratio_rate5m{{{E}}})", "{{slo}}"),
            width=12,
            no_value=NO_SLO,
        ),
        chart(
            "Spent in a day",
            "percentunit",
            "Share of the budget of 30 days that the last 24 hours cost. 3.3 % a day lasts exactly"
            " a month.",
            Query(
                f"max by (slo) (slo:sli_error:ratio_rate1d{{{E}}}"
                f" / on (env, service, slo) slo:error_budget:ratio{{{E}}} / 30)",
                "{{slo}}",
            ),
            limits=(Limit(1 / 30, "yellow"), Limit(0.2)),
            width=12,
            no_value=NO_SLO,
        ),
    )


def _latency() -> tuple[Panel, ...]:
    seconds = "http_server_request_duration_seconds"
    buckets = f"service_le:{seconds}_bucket:rate5m"
    api = f'{E},service="api"'
    return (
        Panel(
            title="API latency",
            description=(
                "Time within which half, 95 and 99 of 100 requests are answered. Dots are single"
                " requests with a trace."
            ),
            unit="s",
            queries=tuple(
                Query(f"max(service:{seconds}:{name}{{{api}}})", name, exemplars=True)
                for name in ("p50", "p95", "p99")
            ),
            limits=(Limit(0.5),),
            signals=True,
        ),
        chart(
            "Requests within half a second",
            "percentunit",
            "Share of requests answered within 0.5 s; the promise is 95 %.",
            Query(
                f'sum({buckets}{{{api},le="0.5"}}) / (sum({buckets}{{{api},le="+Inf"}}) > 0)',
                "within 0.5 s",
            ),
            limits=(Limit(0.95),),
            maximum=1,
        ),
        Panel(
            title="API latency, all of it",
            description="How many requests took how long: a second band is a second kind of work.",
            unit="s",
            kind="heatmap",
            queries=(Query(f"sum by (le) ({buckets}{{{api}}})", "{{le}}"),),
        ),
        Panel(
            title="Slowest routes",
            description="95 of 100 requests of each route are answered within this time.",
            unit="s",
            kind="table",
            width=FULL,
            queries=(
                Query(
                    f"topk(15, max by (service, http_route) (service_route:{seconds}:p95{{{E}}}))"
                ),
                Query(
                    "topk(15, sum by (service, http_route)"
                    f" (service_route_code:http_server_requests:rate5m{{{E}}}))"
                ),
            ),
            columns=("p95", "requests"),
            column_units=("s", "reqps"),
        ),
    )


def _availability() -> tuple[Panel, ...]:
    overdue = f"(max(analyticbot_overdue_posts{{{E}}}) == bool 0)"
    return (
        Panel(
            title="Who answers",
            description=(
                "The health checks seen from outside, and whether posts go out on time: the"
                " customers' view of the last hours."
            ),
            unit="bool",
            kind="state-timeline",
            width=16,
            queries=(
                Query(f"min by (service) (probe_success{{{E}}})", "{{service}}"),
                Query(overdue, "posts on time"),
            ),
            values={"1": "up", "0": "down"},
        ),
        chart(
            "Health checks that succeed",
            "percentunit",
            "Share of health checks in five minutes, by service.",
            Query(f"service:probe_success:avg5m{{{E}}}", "{{service}}"),
            maximum=1,
        ),
        Panel(
            title="Uptime",
            description="Share of health checks that succeeded in a day, a week and 30 days.",
            unit="percentunit",
            kind="bargauge",
            queries=tuple(
                Query(
                    f"avg by (service) (avg_over_time(probe_success{{{E}}}[{span}]))",
                    f"{{{{service}}}} {span}",
                )
                for span in ("1d", "7d", "30d")
            ),
            limits=(Limit(0.99, "yellow"), Limit(0.999, "green")),
            reversed_limits=True,
            width=16,
            decimals=3,
        ),
        Panel(
            title="Of the month's allowance",
            description=(
                f"Minutes down in 30 days over the {MONTH_MINUTES} that the agreement of 99.9 %"
                " allows. Full: the agreement is broken."
            ),
            unit="percentunit",
            kind="gauge",
            queries=(Query(f"{DOWN_MINUTES} / {MONTH_MINUTES}"),),
            limits=(Limit(0.5, "yellow"), Limit(1)),
            maximum=1,
        ),
    )


def _telling() -> tuple[Panel, ...]:
    return (
        chart(
            "From alert to channel, p95",
            "s",
            "Time from taking an alert to the channel's answer, for the slowest twentieth of an"
            " hour. Promised: 30 s.",
            Query(
                "histogram_quantile(0.95, sum by (le, channel)"
                f" (rate(abops_notification_latency_seconds_bucket{{{E}}}[1h])))",
                "{{channel}}",
            ),
            limits=(Limit(30),),
            no_value="nobody was told anything in this time",
        ),
        chart(
            "Time to acknowledge",
            "s",
            "Mean time from opening an incident to somebody taking it, over a day.",
            Query(
                f"sum(increase(abops_incidents_acknowledge_seconds_sum{{{E}}}[1d]))"
                f" / (sum(increase(abops_incidents_acknowledge_seconds_count{{{E}}}[1d])) > 0)",
                "mean",
            ),
            no_value="no incident was acknowledged in a day",
        ),
    )
