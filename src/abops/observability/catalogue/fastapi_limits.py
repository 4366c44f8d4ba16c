"""Alerts about services of the kind `fastapi`: what fills up, stands still or is tried out."""

from datetime import timedelta
from typing import Final

from abops.observability.catalogue.alert import Alert, Case, Fired, Runbook
from abops.observability.catalogue.cases import Timing, around, burst, labelled, steady
from abops.observability.catalogue.commands import ask, shell
from abops.observability.catalogue.place import Place
from abops.observability.catalogue.wording import amount, duration, percent

GROUP, BOARD = "api", "api"
_MINUTE: Final = timedelta(minutes=1)
_LATER: Final = 20 * _MINUTE
_SERVED: Final = {"env": "local", "service": "api"}


def limit_alerts(where: Place, names: str) -> tuple[Alert, ...]:
    """Return the alerts; `names` matches the services of this kind."""
    return (
        _saturation(where, f'service=~"{names}"'),
        _loop_lag(where),
        _auth_failures(where),
        _overflow(where),
    )


def _saturation(where: Place, which: str) -> Alert:
    metric, limit, hold = "service_resource:saturation:ratio", 0.8, 5 * _MINUTE

    def series(value: float, service: str = "api") -> dict[str, str]:
        labels = {"env": "local", "service": service, "resource": "connections"}
        return labelled(metric, steady(value), labels)

    return Alert(
        name="ApiSaturation",
        group=GROUP,
        severity="warning",
        expr=f"{metric}{{{which}}} > {{threshold}}",
        threshold=limit,
        unit="ratio",
        reason="Above four fifths waiting times grow faster than load; a fifth is left to act.",
        hold=hold,
        summary=(
            "{{ $labels.service }} uses {{ $value | humanizePercentage }} of its"
            " {{ $labels.resource }}"
        ),
        impact="At 100 % requests queue, then fail.",
        labels=where.labels("resources", "saturation"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "For five minutes one resource has been nearly used up. `resource` says which:"
                " `cpu` (cores in use of the cores allowed) or `connections` (of the fullest"
                " instance's database pool, overflow included)."
            ),
            diagnosis=(
                ask(f"{metric}{{{which}}}")
                + "\nMore requests than usual, or more work for each?\n\n"
                + ask("sum by (http_route) (rate(http_server_request_duration_seconds_sum[5m]))")
                + "\nThis is time spent by route: one that stands out does the harm."
                " `connections` with a calm CPU: sessions wait for a lock"
                " (PostgresBlockedQueries) or are held over a call to somebody else"
                " (PostgresIdleInTransaction)."
            ),
            mitigation=(
                "`connections`: end the blocking session as PostgresBlockedQueries says. `cpu`:"
                " add a pod; a single uvicorn process cannot use more than one core. One route"
                " after a deploy: roll it back."
            ),
        ),
        cases=(
            *around(
                limit,
                series,
                lambda v: Fired(
                    {**_SERVED, "resource": "connections"},
                    f"api uses {percent(v)} of its connections",
                ),
                timing=Timing(hold),
            ),
            Case("another service is full", series(1, "bot"), _LATER),
        ),
    )


def _loop_lag(where: Place) -> Alert:
    metric, limit, hold = "event_loop_lag_seconds", 0.25, 2 * _MINUTE
    instance = {**_SERVED, "job": "analyticbot-api", "instance": "a"}
    return Alert(
        name="ApiEventLoopLag",
        group=GROUP,
        severity="warning",
        expr=f"max by (env, service) ({metric}) > {{threshold}}",
        threshold=limit,
        unit="s",
        reason="Half of the latency objective: while the loop stands, every request waits.",
        hold=hold,
        summary=(
            "{{ $labels.service }}: the event loop stood still for {{ $value | humanizeDuration }}"
        ),
        impact="All requests of this process wait, also those that have nothing to do with it.",
        labels=where.labels("event-loop", "saturation"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "The worst delay of the event loop in 15 s stays above 250 ms for two minutes:"
                " something computes, or calls a blocking function, inside of a coroutine."
            ),
            diagnosis=(
                "Is it one process, and is it its CPU?\n\n"
                + ask(
                    'event_loop_lag_seconds or rate(process_cpu_seconds_total{service="api"}[1m])'
                )
                + "\nNear one core: it computes; otherwise it waits in a blocking call. Look at the"
                " stack while it happens:\n\n"
                + shell(
                    "abops stack status --output json | jq '.[] | select(.part==\"api\").pid'",
                    "py-spy dump --pid PID",
                )
                + "\n(`py-spy` if it is at hand.) The routes with the most time spent are the"
                " suspects: ApiSaturation shows how to list them."
            ),
            mitigation=(
                "Roll back the deploy that brought it. Too much load for one process: add a pod."
                " The machine itself short of CPU: see the board infrastructure. A restart helps"
                " only against a single request that computes for ever."
            ),
        ),
        cases=(
            *around(
                limit,
                lambda v: labelled(metric, steady(v), instance),
                lambda v: Fired(_SERVED, f"api: the event loop stood still for {duration(v)}"),
                timing=Timing(hold),
            ),
        ),
    )


def _auth_failures(where: Place) -> Alert:
    metric, limit, hold = "service:auth_failures:rate5m", 0.5, 5 * _MINUTE
    return Alert(
        name="ApiAuthFailuresSpike",
        group=GROUP,
        severity="warning",
        expr=f"{metric} > {{threshold}}",
        threshold=limit,
        unit="per second",
        reason="People mistype a few times a minute; thirty a minute is a program.",
        hold=hold,
        summary="{{ $labels.service }} refuses {{ $value | humanize }} logins and tokens a second",
        impact="Somebody may be trying passwords or stolen tokens; accounts are at risk.",
        labels=where.labels("auth", "security"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "For five minutes more than one login or token in two seconds was refused. Either"
                " somebody guesses, or a client goes on with a token that has expired."
            ),
            diagnosis=(
                "Passwords or tokens?\n\n"
                + ask("sum by (reason) (rate(auth_failures_total[5m]))")
                + "\nAnd do logins that succeed rise with them? Then a guess was right:\n\n"
                + ask(
                    "sum by (http_response_status_code) (service_route_code:http_server_requests"
                    ':rate5m{http_route="/api/v1/auth/login"})'
                )
                + "\nThe ingress' access log names the addresses. All of one network or one client"
                " version points to a broken client; many networks, each with few tries, to"
                " stolen password lists."
            ),
            mitigation=(
                "Block the addresses or limit the login route at the ingress. A guess was right:"
                " take away all tokens by drawing a new `API_SECRET` and restarting the service"
                " (everybody logs in again), and tell the owner of the account. A broken client:"
                " roll its release back."
            ),
        ),
        cases=around(
            limit,
            lambda v: labelled(metric, steady(v), _SERVED),
            lambda v: Fired(_SERVED, f"api refuses {amount(v)} logins and tokens a second"),
            timing=Timing(hold),
        ),
    )


def _overflow(where: Place) -> Alert:
    metric = "abops_instrument_overflow_total"
    labels = {"metric": "http_server_request_duration_seconds"}
    fired = {**_SERVED, **labels}
    series = {**fired, "job": "analyticbot-api", "instance": "a"}
    return Alert(
        name="ApiMetricOverflow",
        group=GROUP,
        severity="info",
        expr=f"sum by (env, service, metric) (increase({metric}[15m])) > {{threshold}}",
        threshold=0,
        unit="observations in 15 minutes",
        reason="The budget of a process is never reached by what it serves, only by a bad label.",
        summary="{{ $labels.service }}: {{ $labels.metric }} has run out of series",
        impact="New routes or codes are counted together as `_overflow`; error ratios stay right.",
        labels=where.labels("instrumentation", "system"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "A process exposes 1,500 series at most, one metric 1,200. This metric has reached"
                " that: a label has too many values, mostly an id where a template was expected."
            ),
            diagnosis=(
                "Which label has many values?\n\n"
                + shell(
                    "curl -s http://ADDRESS/metrics | grep '^METRIC_count' | sort | head -n 50",
                )
                + "\nRoutes with ids in them come from a route without a template; handlers and"
                " tasks from functions that are made anew for each call."
            ),
            mitigation=(
                "Mend the label in the service; until then nothing is lost but detail. A restart"
                " empties the table and gives the true routes their places back for a while:\n\n"
                + shell("abops stack restart api")
            ),
        ),
        cases=burst(
            metric,
            series,
            15 * _MINUTE,
            Fired(fired, f"api: {labels['metric']} has run out of series"),
        ),
    )
