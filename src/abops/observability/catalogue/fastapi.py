"""Alerts about services of the kind `fastapi`: what people meet who use them."""

from datetime import timedelta
from typing import Final

from abops.inventory.model import Inventory
from abops.observability.catalogue.alert import Alert, Case, Fired, Runbook
from abops.observability.catalogue.cases import Timing, around, labelled, steady
from abops.observability.catalogue.commands import ask, errors_of, shell
from abops.observability.catalogue.fastapi_limits import limit_alerts
from abops.observability.catalogue.place import Place, of_kind
from abops.observability.catalogue.wording import amount, duration, percent

GROUP, BOARD = "api", "api"
_MINUTE: Final = timedelta(minutes=1)
_WEEK: Final = timedelta(weeks=1)
_SERVED: Final = {"env": "local", "service": "api"}
_REQUESTS: Final = "service:http_server_requests:rate5m"
_ENOUGH: Final = 0.2
"""Requests a second, sixty in five minutes: of fewer, a share says little."""
_WINDOW_S: Final = 300
"""Length of the recordings' window."""
_BUSY: Final = 10.0
_LATER: Final = 20 * _MINUTE
"""A moment of a case by which everything that fires has fired."""


def fastapi_alerts(inventory: Inventory) -> tuple[Alert, ...]:
    """Return the alerts about the API; none where there is none."""
    where = of_kind(inventory.services, "fastapi")
    if where is None:
        return ()
    names = "|".join(s.name for s in inventory.services if s.kind == "fastapi")
    return (
        _error_ratio(where),
        _latency(where),
        _traffic_drop(where),
        _exceptions(where),
        _client_errors(where),
        *limit_alerts(where, names),
    )


def _served(metric: str, value: float, requests: float = _BUSY) -> dict[str, str]:
    """Return an API whose `metric` is `value` at this many requests a second."""
    return labelled(metric, steady(value), _SERVED) | labelled(_REQUESTS, steady(requests), _SERVED)


def _traffic_cases(metric: str, value: float, fired: Fired) -> tuple[Case, ...]:
    """Return the cases of `and requests > _ENOUGH`: one on each side, and one without requests."""
    return (
        Case("just enough traffic", _served(metric, value, 1.1 * _ENOUGH), _LATER, (fired,)),
        Case("hardly anybody asks", _served(metric, value, 0.9 * _ENOUGH), _LATER),
        Case("traffic is unknown", labelled(metric, steady(value), _SERVED), _LATER),
    )


def _error_ratio(where: Place) -> Alert:
    metric, limit = "service:http_server_errors:ratio_rate5m", 0.05

    def fired(value: float) -> Fired:
        return Fired(_SERVED, f"api answers {percent(value)} of its requests with 5xx")

    return Alert(
        name="ApiHighErrorRatio",
        group=GROUP,
        severity="critical",
        expr=f"{metric} > {{threshold}} and {_REQUESTS} > {_ENOUGH}",
        threshold=limit,
        unit="ratio",
        reason=(
            "Fifty times what the objective of 99.9 % allows: a month's budget is gone in 15 hours."
        ),
        summary=(
            "{{ $labels.service }} answers {{ $value | humanizePercentage }} of its requests"
            " with 5xx"
        ),
        impact="One request in twenty fails, or more: pages stay empty, posts are not accepted.",
        labels=where.labels("http", "errors"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "Over the last five minutes more than 5 % of the requests were answered with 5xx,"
                " health checks not counted. The service lives: if it were gone, ProbeFailed would"
                " fire instead."
            ),
            diagnosis=(
                "Does one route fail, or all of them?\n\n"
                + ask(
                    "sum by (http_route, http_response_status_code)"
                    " (service_route_code:http_server_requests:rate5m"
                    '{http_response_status_code=~"5.."})'
                )
                + "\nWhat does the service say, and which store does it miss?\n\n"
                + errors_of("api")
                + shell("curl -s http://ADDRESS/ready")
                + "\n503 on every route that needs data: PostgreSQL is away or its pool is full"
                " (PostgresDown, PostgresPoolTimeouts). 500 on one route: a bug, see"
                " ApiUnhandledExceptions; compare its first moment with the last deploy on the"
                " board."
            ),
            mitigation=(
                "A store that is down comes first: `abops stack restart postgres`. A deploy just"
                " before: roll it back, look for the cause afterwards. Neither: restart the"
                " service, and keep its log before:\n\n"
                + shell("abops stack logs api -n 2000 > api-before.log", "abops stack restart api")
            ),
        ),
        cases=(
            *around(limit, lambda v: _served(metric, v), fired),
            *_traffic_cases(metric, 0.4, fired(0.4)),
        ),
    )


def _latency(where: Place) -> Alert:
    metric, limit, hold = "service:http_server_request_duration_seconds:p99", 2.5, 10 * _MINUTE

    def fired(value: float) -> Fired:
        return Fired(_SERVED, f"api: one request in a hundred takes {duration(value)} or longer")

    return Alert(
        name="ApiLatencyP99High",
        group=GROUP,
        severity="warning",
        expr=f"{metric} > {{threshold}} and {_REQUESTS} > {_ENOUGH}",
        threshold=limit,
        unit="s",
        reason="Five times the objective's half second, and an edge of the histogram's buckets.",
        hold=hold,
        summary=(
            "{{ $labels.service }}: one request in a hundred takes"
            " {{ $value | humanizeDuration }} or longer"
        ),
        impact="People wait for seconds and ask again, which makes it worse.",
        labels=where.labels("http", "latency"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "For ten minutes the slowest hundredth of the requests has taken longer than 2.5 s."
            ),
            diagnosis=(
                "Which routes?\n\n"
                + ask("service_route:http_server_request_duration_seconds:p95 > 0.5")
                + "\nIs it the store, the pool, or the process itself?\n\n"
                + ask(
                    "service_system:db_client_operation_duration_seconds:p95"
                    " or db_client_connection_pending_requests or event_loop_lag_seconds"
                )
                + "\nSlow operations: PostgresQueryRegression, PostgresBlockedQueries. Requests"
                " that wait for a connection: the pool. A lag above 0.25 s: ApiEventLoopLag. A dot"
                " on the board's latency panel opens the trace of one slow request."
            ),
            mitigation=(
                "End what blocks the database (see PostgresBlockedQueries). One route after a"
                " deploy: roll it back. More traffic than ever: add a pod, while PostgreSQL has"
                " connections to spare (PostgresConnections)."
            ),
        ),
        cases=(
            *around(limit, lambda v: _served(metric, v), fired, timing=Timing(hold)),
            *_traffic_cases(metric, 9, fired(9)),
        ),
    )


def _traffic_drop(where: Place) -> Alert:
    limit, hold, step = 0.3, 10 * _MINUTE, 10 * _MINUTE
    return Alert(
        name="ApiTrafficDrop",
        group=GROUP,
        severity="warning",
        expr=(
            f"({_REQUESTS} or 0 * {_REQUESTS} offset 1w)"
            f" / ({_REQUESTS} offset 1w > {_ENOUGH}) < {{threshold}}"
        ),
        threshold=limit,
        unit="of a week ago",
        reason="The same hour of the same weekday: nights and weekends do not alarm.",
        hold=hold,
        step=step,
        summary=(
            "{{ $labels.service }} gets {{ $value | humanizePercentage }} of the requests of a"
            " week ago"
        ),
        impact="Requests are lost before they arrive, and no error tells of it.",
        labels=where.labels("http", "traffic"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "Far fewer requests arrive than at the same time a week ago. Something in front of"
                " the service holds them back: DNS, TLS, ingress, or the page that makes them. It"
                " may also be a holiday."
            ),
            diagnosis=(
                "From outside, as people come in, and then directly:\n\n"
                + shell(
                    "curl -sv https://PUBLIC-NAME/health 2>&1 | tail -n 20",
                    "curl -si http://ADDRESS/health",
                )
                + "\nDirectly well and from outside not: ingress, certificate or DNS. Both well:"
                " which routes are missing?\n\n"
                + ask(
                    "sum by (http_route) (service_route_code:http_server_requests:rate5m)"
                    " - sum by (http_route)"
                    " (service_route_code:http_server_requests:rate5m offset 1w)"
                )
            ),
            mitigation=(
                "Mend what is in front (certificate: EdgeTlsExpires; names: EdgeDnsProbeFailed)."
                " A release of the web page at that moment: roll it back. A holiday: acknowledge"
                " with that reason; it ends by itself within the week."
            ),
        ),
        cases=_drop_cases(limit, hold, step),
    )


def _drop_cases(limit: float, hold: timedelta, step: timedelta) -> tuple[Case, ...]:
    steps = int(_WEEK / step)

    def history(now: str, then: float = _BUSY) -> dict[str, str]:
        return labelled(_REQUESTS, f"{then:g}x{steps - 1} {now}", _SERVED)

    def fired(value: float) -> Fired:
        return Fired(_SERVED, f"api gets {percent(value)} of the requests of a week ago")

    return (
        *around(
            limit,
            lambda v: history(steady(_BUSY * v, 100)),
            fired,
            below=True,
            timing=Timing(hold, _WEEK, step),
        ),
        Case("all requests are gone", history("stale _x9"), _WEEK + hold, (fired(0),)),
        Case("last week was hardly busier", history("0.01x9", 0.18), _WEEK + hold),
        Case("last week was busy enough", history("0x9", 0.22), _WEEK + hold, (fired(0),)),
        Case("a week ago there was nothing", history("0x9", 0), _WEEK + hold),
    )


def _exceptions(where: Place) -> Alert:
    metric, limit = "service:http_server_exceptions:rate5m", 1.0
    return Alert(
        name="ApiUnhandledExceptions",
        group=GROUP,
        severity="warning",
        expr=f"{metric} * {_WINDOW_S} > {{threshold}}",
        threshold=limit,
        unit="in 5 minutes",
        reason="One may be an accident; the second is a bug that people run into.",
        summary=(
            "{{ $labels.service }}: {{ $value | humanize }} exceptions in 5 minutes that nobody"
            " caught"
        ),
        impact="Each is a request that ended in a bare 500.",
        labels=where.labels("http", "errors"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "A request handler raised something that no code handles: a programming error, or"
                " a failure of a store that nobody had thought of."
            ),
            diagnosis=(
                "Which exception?\n\n"
                + ask("sum by (error_type) (increase(http_server_exceptions_total[15m])) > 0")
                + "\nThe log has route and stack:\n\n"
                + shell(
                    "abops observability logs search --service api --level error -n 1"
                    " --output json |",
                    '  jq -r \'.[] | ."http.route", ."error.stack_trace"\'',
                )
            ),
            mitigation=(
                "New since the last deploy: roll it back. Old: file the bug with the stack and the"
                " `trace.id` of the log line. `OperationalError` or `InterfaceError` is the"
                " database's: see PostgresDown and PostgresRestarted."
            ),
        ),
        cases=around(
            limit,
            lambda v: labelled(metric, steady(v / _WINDOW_S), _SERVED),
            lambda v: Fired(
                _SERVED, f"api: {amount(v)} exceptions in 5 minutes that nobody caught"
            ),
        ),
    )


def _client_errors(where: Place) -> Alert:
    metric, limit, hold = "service:http_server_client_errors:ratio_rate5m", 0.25, 10 * _MINUTE

    def fired(value: float) -> Fired:
        return Fired(_SERVED, f"api refuses {percent(value)} of its requests (4xx)")

    return Alert(
        name="Api4xxSpike",
        group=GROUP,
        severity="info",
        expr=f"{metric} > {{threshold}} and {_REQUESTS} > {_ENOUGH}",
        threshold=limit,
        unit="ratio",
        reason="Mistyped addresses and expired logins stay below a tenth; a quarter is a cause.",
        hold=hold,
        summary=(
            "{{ $labels.service }} refuses {{ $value | humanizePercentage }} of its requests (4xx)"
        ),
        impact="Callers do something the API refuses: a broken client, or somebody who scans.",
        labels=where.labels("http", "errors"),
        board=BOARD,
        runbook=Runbook(
            meaning="For ten minutes a quarter of the requests or more were answered with 4xx.",
            diagnosis=(
                ask(
                    "sum by (http_route, http_response_status_code)"
                    " (service_route_code:http_server_requests:rate5m"
                    '{http_response_status_code=~"4.."})'
                )
                + "\n404 on `unmatched`: a scanner, or a client of another version. 401: expired or"
                " guessed logins, see ApiAuthFailuresSpike. 422: a client sends what the schema"
                " does not allow; it began with a release of that client or of this service."
            ),
            mitigation=(
                "A scanner: block its address at the ingress. A schema that became stricter: roll"
                " back, and announce the change. Nothing else is urgent."
            ),
        ),
        cases=(
            *around(limit, lambda v: _served(metric, v), fired, timing=Timing(hold)),
            *_traffic_cases(metric, 0.6, fired(0.6)),
        ),
    )
