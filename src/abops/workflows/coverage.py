"""The coverage audit with everything it needs: the catalogue, and what a live environment shows."""

from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Final

from msgspec import Struct

from abops.clients.jaeger import Jaeger
from abops.clients.opensearch import OpenSearch
from abops.clients.prometheus import Prometheus
from abops.inventory.model import Inventory
from abops.kernel.clock import Clock
from abops.observability.boards import boards
from abops.observability.catalogue.recordings import recordings
from abops.observability.coverage import (
    Catalogue,
    Component,
    Finding,
    Seen,
    audit,
    components,
    covers,
)
from abops.observability.logs.search import Query
from abops.observability.logs.streams import sources as log_sources
from abops.observability.rules import catalogue
from abops.observability.slo.groups import slo_recordings
from abops.observability.targets import PROBES, jobs, optional_jobs
from abops.workflows.logs import find

RECENT: Final = timedelta(minutes=10)
"""A signal older than this does not prove that the path works now."""
_FILLED_IN: Final = (
    ("$env", ".*"),
    ("$service", ".*"),
    ("$__rate_interval", "1m"),
    ("$__interval", "1m"),
)


class Live(Struct, frozen=True):
    """Addresses of a live environment; None: it has no such store."""

    prometheus: str
    jaeger: str | None = None
    logs: str | None = None


def coverage(
    inventory: Inventory, runbooks: Path, clock: Clock, live: Live | None = None
) -> tuple[Finding, ...]:
    """Return the findings of the offline audit, or with `live` of the live one.

    `runbooks` is their folder. Raises LoopbackError when a live source does not answer.
    """
    known = Catalogue(
        alerts=catalogue(inventory),
        recordings=(*recordings(inventory), *slo_recordings(inventory)),
        boards=boards(inventory),
        objectives=frozenset(objective.service for objective in inventory.slos),
        runbooks=frozenset(path.stem for path in runbooks.glob("*.md")),
    )
    if live is None:
        return audit(inventory, known)
    with closing(Prometheus(live.prometheus)) as prometheus:
        return audit(inventory, known, _look(prometheus, inventory, known, clock, live))


def _look(
    prometheus: Prometheus, inventory: Inventory, known: Catalogue, clock: Clock, live: Live
) -> Seen:
    optional = _optional(prometheus, inventory)
    parts = components(inventory, optional)
    up = {value.labels.get("job", "") for value in prometheus.query("max by (job) (up) == 1")}
    scraped = (*jobs(inventory), *optional_jobs(inventory))
    own = {job.name for job in scraped} | {PROBES, "abops-stack"}
    return Seen(
        up=frozenset(up),
        broken_rules=frozenset(prometheus.broken_rules()),
        filled=_filled(prometheus, known, parts),
        logged=_logged(live.logs, inventory, parts, clock) if live.logs else None,
        traced=_traced(live.jaeger, parts, clock) if live.jaeger else None,
        strangers=tuple(sorted(up - own)),
        optional=optional,
    )


def _optional(prometheus: Prometheus, inventory: Inventory) -> frozenset[str]:
    """Return the optional parts that are there: scraped, known to the supervisor, or told of.

    The file of the log path stands for all of its parts: where no supervisor tells, it does.
    """
    found = {
        value.labels.get("service", "")
        for value in prometheus.query("max by (service) (up or abops_stack_part_up)")
    }
    if prometheus.query("abops_log_store_up"):
        found |= {part.name for part in inventory.optional if part.told_by is not None}
    return frozenset(part.name for part in inventory.optional if part.name in found)


def _filled(
    prometheus: Prometheus, known: Catalogue, parts: tuple[Component, ...]
) -> frozenset[str]:
    """Return the components about which some panel has data."""
    filled: set[str] = set()
    for query in (
        query
        for board in known.boards
        for row in board.rows
        for panel in row.panels
        for query in panel.queries
    ):
        about = {part.name for part in parts if covers(query.expr, {}, part)} - filled
        if about and prometheus.query(filled_in(query.expr)):
            filled |= about
    return frozenset(filled)


def filled_in(expr: str) -> str:
    """Return a board's query with its variables standing for everything."""
    for variable, value in _FILLED_IN:
        expr = expr.replace(variable, value)
    return expr


def _traced(url: str, parts: tuple[Component, ...], clock: Clock) -> frozenset[str]:
    now = clock.now()
    with closing(Jaeger(url)) as jaeger:
        known = set(jaeger.services())
        return frozenset(
            part.name
            for part in parts
            if part.job in known and jaeger.has_spans(part.job, now - RECENT, now)
        )


def _logged(
    url: str, inventory: Inventory, parts: tuple[Component, ...], clock: Clock
) -> frozenset[str]:
    now = clock.now()
    logging = {source.part for source in log_sources(inventory)}
    with closing(OpenSearch(url)) as store:
        return frozenset(
            part.name
            for part in parts
            if part.name in logging
            and find(store, inventory, Query(part=part.name, since=now - RECENT, size=1), now).lines
        )
