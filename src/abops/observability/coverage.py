"""What is watched, and what is not: each component against what its kind and tier need.

The offline audit reads the catalogue: does a rule, a board, a runbook exist? The live audit adds
what was seen: the target answers, the rule is healthy, the panel has data, a line and a span
arrived. A component that runs and is not in the inventory meets nothing: nobody watches it.
"""

import re
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Final

from msgspec import Struct

from abops.inventory.model import Inventory, OptionalPart, PlatformPart, Service, Store
from abops.observability.boards.model import Board
from abops.observability.catalogue.alert import Alert
from abops.observability.catalogue.recording import Recording
from abops.observability.targets import Job, jobs, told_by

GOAL: Final = 0.95
"""Share of the weighted needs that must be met."""
WEIGHTS: Final[Mapping[str, int]] = {
    "absence alert": 3,
    "probe": 2,
    "recorded rates": 2,
    "saturation alert": 2,
    "error alert": 2,
    "objective": 2,
    "panel": 1,
    "runbook": 1,
    "tested alerts": 1,
    "logs": 1,
    "trace": 1,
}
"""An absence alert weighs most: without it, all the others fall silent with their component."""

_PREFIXES: Final[Mapping[str, tuple[str, ...]]] = {
    "fastapi": ("http_server_", "event_loop_", "auth_failures"),
    "aiogram": ("telegram_bot_", "telegram_api_"),
    "celery": ("celery_task", "celery_queue", "celery_worker", "celery_pool", "analyticbot_post"),
    "celery_beat": ("celery_beat_",),
    "postgres": ("pg_", "abops_pg_", "postgres:"),
    "redis": ("redis_", "redis:"),
    "node": ("node_", "node:"),
    "blackbox": ("probe_",),
    "prometheus": ("prometheus_",),
    "alertmanager": ("alertmanager_",),
    "alert_service": ("abops_outbox", "abops_notification", "abops_heartbeat", "abops_alerts_"),
    "jaeger": ("jaeger_", "otelcol_"),
    "business": ("abops_exporter_", "analyticbot_"),
    "opensearch": ("abops_log_store",),
    "rsyslog": ("abops_log_ingest", "abops_log_unshipped", "abops_log_dead_letters"),
    "logs_keeper": ("node_textfile_mtime",),
    "mtproto": ("telegram_mtproto_",),
}
"""Metrics that are about one kind, whatever their labels say."""
_EVERYBODY: Final = (
    "service:memory_limit:ratio",
    "service:open_files:ratio",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "(up)",
)
"""Series that every process has."""
_MATCHER: Final = re.compile(r'\b(job|service)\s*(=~|!~|!=|=)\s*"([^"]*)"')
_TRACED: Final = ("fastapi", "aiogram", "celery", "celery_beat")
_ERROR_CATEGORIES: Final = ("errors", "availability", "durability", "work")


class Component(Struct, frozen=True):
    """A part that should be watched. `job` is its scrape job."""

    name: str
    kind: str
    tier: int
    job: str
    probed: bool


class Seen(Struct, frozen=True):
    """What a live environment showed.

    `broken_rules` are names of alerts and recorded series whose last evaluation failed;
    `filled` names components with a panel that had data; `strangers` are jobs and services that
    run and are not in the inventory. None for `logged` or `traced`: there is no such store.
    """

    up: frozenset[str]
    broken_rules: frozenset[str]
    filled: frozenset[str]
    logged: frozenset[str] | None
    traced: frozenset[str] | None
    strangers: tuple[str, ...] = ()
    optional: frozenset[str] = frozenset()
    """Names of the optional parts that this environment has."""


class Finding(Struct, frozen=True):
    """One need of one component: met, or why not."""

    component: str
    tier: int
    need: str
    weight: int
    met: bool
    why: str = ""


class Catalogue(Struct, frozen=True):
    """Everything that watches."""

    alerts: tuple[Alert, ...]
    recordings: tuple[Recording, ...]
    boards: tuple[Board, ...]
    objectives: frozenset[str]
    """Names of services with an objective."""
    runbooks: frozenset[str]


def components(inventory: Inventory, optional: Container[str] = ()) -> tuple[Component, ...]:
    """Return every part of the inventory that must be watched, with these optional ones."""
    by_part = {job.part: job for job in jobs(inventory)}
    found = [_component(service, by_part[service.name]) for service in inventory.services]
    found += [_component(store, by_part[store.exporter]) for store in inventory.stores]
    exporters = {store.exporter for store in inventory.stores}
    found += [
        _component(part, by_part[part.name])
        for part in inventory.platform
        if part.name not in exporters
    ]
    found += [
        _component(part, told_by(inventory, part))
        for part in inventory.optional
        if part.name in optional
    ]
    return tuple(found)


def _component(part: Service | Store | PlatformPart | OptionalPart, job: Job) -> Component:
    probed = getattr(part, "probe", None) is not None
    return Component(name=part.name, kind=part.kind, tier=part.tier, job=job.name, probed=probed)


def covers(expr: str, labels: Mapping[str, str], component: Component) -> bool:
    """Tell whether an expression with these fixed labels is about the component."""
    if labels.get("service") == component.name or labels.get("scrape_job") == component.job:
        return True
    about = [(name, op, value) for name, op, value in _MATCHER.findall(expr) if op in ("=", "=~")]
    if about:
        return any(_matches(name, op, value, component) for name, op, value in about)
    if any(prefix in expr for prefix in _PREFIXES.get(component.kind, ())):
        return True
    return any(word in expr for word in _EVERYBODY)


def _matches(name: str, op: str, value: str, component: Component) -> bool:
    actual = component.job if name == "job" else component.name
    if op == "=":
        return value == actual
    return re.fullmatch(value.replace("$service", ".*"), actual) is not None


def audit(inventory: Inventory, known: Catalogue, seen: Seen | None = None) -> tuple[Finding, ...]:
    """Return a finding for each need of each component, and for each stranger."""
    # What is watched by rules can be told of every part; what runs, only of those that are there.
    optional = seen.optional if seen else frozenset(part.name for part in inventory.optional)
    parts = components(inventory, optional)
    found = [finding for component in parts for finding in _judge(component, known, seen)]
    for stranger in seen.strangers if seen else ():
        found += [
            Finding(stranger, 3, need, weight, met=False, why="runs, and is not in the inventory")
            for need, weight in WEIGHTS.items()
        ]
    return tuple(found)


def share_met(findings: Iterable[Finding]) -> float:
    """Return the weighted share of needs that are met, from 0 to 1; 1 without any."""
    total = met = 0
    for finding in findings:
        total += finding.weight
        met += finding.weight if finding.met else 0
    return met / total if total else 1.0


def _judge(component: Component, known: Catalogue, seen: Seen | None) -> Iterator[Finding]:
    about = [alert for alert in known.alerts if covers(alert.promql, alert.labels, component)]
    for need, why in _needs(component, known, about, seen):
        yield Finding(component.name, component.tier, need, WEIGHTS[need], met=not why, why=why)


def _needs(
    component: Component, known: Catalogue, about: list[Alert], seen: Seen | None
) -> Iterator[tuple[str, str]]:
    """Give each need that applies, and why it is not met: empty when it is."""
    yield "absence alert", _absence(component, about, seen)
    if component.probed:
        yield "probe", _probe(component, known, seen)
    if component.kind in _PREFIXES:
        yield "recorded rates", _recorded(component, known, seen)
        yield "saturation alert", _category(about, seen, ("saturation",))
        yield "error alert", _category(about, seen, _ERROR_CATEGORIES)
    if component.tier == 1 and component.kind in _TRACED:
        yield "objective", _objective(component, known)
    yield "panel", _panel(component, known, seen)
    yield "runbook", _runbook(about, known)
    yield "tested alerts", _tested(about)
    if component.kind in _TRACED or component.kind == "alert_service":
        yield "logs", _signal(component, seen.logged if seen else None, seen, "log line")
    if component.kind in _TRACED:
        yield "trace", _signal(component, seen.traced if seen else None, seen, "span")


def _absence(component: Component, about: list[Alert], seen: Seen | None) -> str:
    # Alerts on `absent`, on `up` and on an exporter's own *_up all speak when it is gone.
    gone = [a for a in about if re.search(r"\babsent|\b(\w+_)?up\b|probe_success", a.promql)]
    if not gone:
        return "nobody is told when it is gone"
    if seen and component.job not in seen.up:
        return f"job {component.job} does not answer Prometheus"
    return _healthy(gone, seen)


def _objective(component: Component, known: Catalogue) -> str:
    # Nobody calls beat: what it starts in time, or late, is judged where it runs.
    if component.kind == "celery_beat" and known.objectives:
        return ""
    return "" if component.name in known.objectives else "no objective names it"


def _probe(component: Component, known: Catalogue, seen: Seen | None) -> str:
    own = f'tier="{component.tier}"'
    found = [
        alert
        for alert in known.alerts
        if "probe_success" in alert.promql and (own in alert.promql or "tier=" not in alert.promql)
    ]
    return _healthy(found, seen) if found else "no alert on its probe"


def _category(about: list[Alert], seen: Seen | None, categories: tuple[str, ...]) -> str:
    found = [alert for alert in about if alert.labels.get("category") in categories]
    if not found:
        return f"no alert of category {' or '.join(categories)}"
    return _healthy(found, seen)


def _healthy(found: list[Alert], seen: Seen | None) -> str:
    broken = sorted({a.name for a in found} & seen.broken_rules) if seen else []
    return f"rule fails: {', '.join(broken)}" if broken else ""


def _recorded(component: Component, known: Catalogue, seen: Seen | None) -> str:
    found = [r for r in known.recordings if covers(r.expr, {}, component)]
    if not found:
        return "no recorded series"
    broken = sorted({r.record for r in found} & seen.broken_rules) if seen else []
    return f"rule fails: {', '.join(broken)}" if broken else ""


def _panel(component: Component, known: Catalogue, seen: Seen | None) -> str:
    if not any(covers(expr, {}, component) for board in known.boards for expr in _queries(board)):
        return "on no board"
    if seen and component.name not in seen.filled:
        return "no panel about it had data"
    return ""


def _queries(board: Board) -> Iterator[str]:
    return (query.expr for row in board.rows for panel in row.panels for query in panel.queries)


def _runbook(about: list[Alert], known: Catalogue) -> str:
    missing = sorted({alert.name for alert in about} - known.runbooks)
    if not about:
        return "no alert, so no runbook"
    return f"no runbook: {', '.join(missing)}" if missing else ""


def _tested(about: list[Alert]) -> str:
    untested = sorted({a.name for a in about if not any(case.fires for case in a.cases)})
    if not about:
        return "no alert"
    return f"never made to fire: {', '.join(untested)}" if untested else ""


def _signal(
    component: Component, arrived: frozenset[str] | None, seen: Seen | None, what: str
) -> str:
    if seen is None:
        return ""
    if arrived is None:
        return f"there is no store for a {what}"
    return "" if component.name in arrived else f"no {what} in ten minutes"
