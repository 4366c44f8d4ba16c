"""Whether the monitoring of a running environment works: each path is used, not looked at."""

import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, Literal

from msgspec import Struct

from abops.clients.grafana import Grafana
from abops.clients.loopback import Loopback, LoopbackError
from abops.clients.prometheus import Prometheus
from abops.inventory.model import Inventory
from abops.kernel.clock import Clock
from abops.kernel.errors import OpsError
from abops.observability.boards import boards
from abops.observability.boards.model import Board
from abops.observability.targets import jobs
from abops.workflows.coverage import filled_in

SPAN_WITHIN_S: Final = 10.0
HEARD_WITHIN_S: Final = 180
State = Literal["pass", "fail", "skip"]


class Places(Struct, frozen=True):
    """Where the parts answer. None: the environment has none."""

    prometheus: str
    alertmanager: str
    jaeger: str
    otlp: str
    alerts: str
    logs: str | None = None
    grafana: str | None = None
    grafana_token: str | None = None


class Outcome(Struct, frozen=True):
    """One check: what it was about, how it ended, what was seen."""

    area: str
    check: str
    state: State
    said: str
    seconds: float


Check = Callable[[], str]


class Skipped(Exception):  # noqa: N818 - not an error
    """There is nothing to check here; the text says why."""


def check_signals(inventory: Inventory, places: Places, clock: Clock) -> Iterator[Outcome]:
    """Give the outcome of each check, in the order in which signals flow."""
    for area, name, check in _checks(inventory, places, clock):
        began = time.monotonic()
        state: State = "pass"
        try:
            said = check()
        except Skipped as reason:
            state, said = "skip", str(reason)
        except OpsError as error:
            state, said = "fail", str(error)
        yield Outcome(area, name, state, said, time.monotonic() - began)


def smoke(grafana: Grafana, uids: list[str]) -> str:
    """Check that a Grafana is well, knows the boards and can ask Prometheus. Raises OpsError."""
    grafana.health()
    known = grafana.board_uids()
    if missing := sorted(set(uids) - known):
        raise CheckError(
            f"Grafana does not know {', '.join(missing)}",
            hint="Mount infrastructure/monitoring/grafana/dashboards as its provisioning says.",
        )
    if not grafana.query("up"):
        raise CheckError("Grafana's data source has no `up`", hint="Set PROMETHEUS_URL for it.")
    return f"{len(uids)} boards, and the data source answers"


class CheckError(OpsError):
    """A check saw something else than it must."""


def _checks(inventory: Inventory, places: Places, clock: Clock) -> Iterator[tuple[str, str, Check]]:
    yield "health", "prometheus", lambda: _answers(places.prometheus, "/api/v1/status/buildinfo")
    yield "health", "alertmanager", lambda: _answers(places.alertmanager, "/api/v2/status")
    yield "health", "jaeger", lambda: _answers(places.jaeger, "/api/v3/services")
    yield "health", "alert service", lambda: _answers(places.alerts, "/readyz")
    yield "health", "log store", lambda: _answers(_there(places.logs), "/_cluster/health")
    prometheus = Prometheus(places.prometheus)
    yield "metrics", "every job answers", lambda: _jobs(inventory, prometheus)
    yield "metrics", "every rule is evaluated", lambda: _rules(prometheus)
    yield "metrics", "recorded series exist", lambda: _recorded(prometheus)
    yield "alerts", "the watchdog is heard", lambda: _watchdog(prometheus)
    yield "traces", "a span comes back", lambda: _span(places, clock)
    yield "logs", "lines arrive", lambda: _lines(_there(places.logs))
    yield "boards", "every board has data", lambda: _boards(inventory, prometheus)
    yield "boards", "Grafana shows them", lambda: _grafana(places, boards(inventory))


def _there(url: str | None) -> str:
    if url is None:
        raise Skipped("no log store here; start one with: make up LOGS=1")
    return url


def _answers(url: str, path: str) -> str:
    Loopback(url).get(path)
    return f"{url} answers"


def _jobs(inventory: Inventory, prometheus: Prometheus) -> str:
    up = {value.labels["job"] for value in prometheus.query("max by (job) (up) == 1")}
    wanted = {job.name for job in jobs(inventory)}
    if missing := sorted(wanted - up):
        raise CheckError(f"not scraped: {', '.join(missing)}", hint="abops stack status")
    return f"{len(wanted)} jobs"


def _rules(prometheus: Prometheus) -> str:
    if broken := prometheus.broken_rules():
        raise CheckError(f"evaluation fails: {', '.join(broken)}", hint="abops observability check")
    return "no rule fails"


def _recorded(prometheus: Prometheus) -> str:
    found = prometheus.query('count({__name__=~".+:.+"})')
    if not found:
        raise CheckError("there is no recorded series", hint="See whether rules/ is loaded.")
    return f"{found[0].value:.0f} recorded series"


def _watchdog(prometheus: Prometheus) -> str:
    found = prometheus.query("max(abops_heartbeat_age_seconds)")
    if not found or found[0].value > HEARD_WITHIN_S:
        raise CheckError("the alert service has not heard the Watchdog", hint="docs/runbooks")
    return f"heard {found[0].value:.0f} s ago"


def _span(places: Places, clock: Clock) -> str:
    """Send one span to the collector's door and read it back by its id."""
    trace = secrets.token_hex(16)
    now = int(clock.now().timestamp() * 1e9)
    Loopback(places.otlp).post("/v1/traces", _one_span(trace, now))
    jaeger, began = Loopback(places.jaeger), time.monotonic()
    while time.monotonic() - began < SPAN_WITHIN_S:
        try:
            jaeger.get(f"/api/v3/traces/{trace}")
        except LoopbackError:
            time.sleep(0.2)  # what waits here is Jaeger's writing, which tells nobody
        else:
            return f"read back after {time.monotonic() - began:.1f} s"
    raise CheckError(
        f"trace {trace} is not there after {SPAN_WITHIN_S:g} s", hint="abops stack logs jaeger"
    )


def _one_span(trace: str, now: int) -> dict[str, Any]:
    span = {
        "traceId": trace,
        "spanId": secrets.token_hex(8),
        "name": "monitoring check",
        "kind": 1,
        "startTimeUnixNano": str(now - 1_000_000),
        "endTimeUnixNano": str(now),
        "attributes": [{"key": "abops.late", "value": {"boolValue": True}}],
    }
    service = {"key": "service.name", "value": {"stringValue": "abops-check"}}
    return {
        "resourceSpans": [
            {"resource": {"attributes": [service]}, "scopeSpans": [{"spans": [span]}]}
        ]
    }


def _lines(url: str) -> str:
    query = '{"query":{"range":{"@timestamp":{"gte":"now-10m"}}}}'
    found = Loopback(url).get(
        "/logs-*/_count", source=query, source_content_type="application/json"
    )
    if not found["count"]:
        raise CheckError("no line in ten minutes", hint="abops stack logs rsyslog")
    return f"{found['count']} lines in ten minutes"


def _boards(inventory: Inventory, prometheus: Prometheus) -> str:
    empty, panels = [], 0
    for board in boards(inventory):
        queries = [q.expr for row in board.rows for panel in row.panels for q in panel.queries]
        panels += len(queries)
        if not any(prometheus.query(filled_in(expr)) for expr in queries):
            empty.append(board.uid)
    if len(empty) == len(boards(inventory)):
        raise CheckError("no board has data", hint="abops observability coverage --live")
    note = f"; nothing yet on {', '.join(empty)}" if empty else ""
    return f"{len(boards(inventory)) - len(empty)} boards{note}"


def _grafana(places: Places, known: tuple[Board, ...]) -> str:
    if places.grafana is None:
        raise Skipped("GRAFANA_URL is not set; the console shows the boards")
    return smoke(Grafana(places.grafana, places.grafana_token), [board.uid for board in known])
