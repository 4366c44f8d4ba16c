"""The console's view of what Prometheus, Jaeger and the log store know.

Each module serves one place of the rail and makes its router from the pages and the sources.
Nothing here is needed to take alerts: a source that does not answer is said on its own page.
"""

from pathlib import Path
from typing import Final, NamedTuple

from fastapi import APIRouter
from msgspec import Struct

from abops.entry.web.observe import backups, coverage, dashboards, logs, slo, traces
from abops.entry.web.pages import Pages, Place
from abops.kernel.errors import OpsError
from abops.workflows.board_shelf import BoardShelf
from abops.workflows.coverage import Live

STATUS: Final[dict[type[OpsError], int]] = {**dashboards.STATUS, **slo.STATUS}
"""What errors of these places are answered with."""


class Sources(Struct, frozen=True):
    """Where the signals are; None when the environment has none of that kind."""

    inventory: Path = Path("platform.yaml")
    dashboards: Path | None = None
    """Folder of the boards; None: the checkout's."""
    prometheus: str | None = None
    jaeger: str | None = None
    logs: str | None = None


class _Area(NamedTuple):
    """A place of the rail, and what serves it."""

    place: Place
    router: APIRouter


def observe(pages: Pages, sources: Sources) -> APIRouter:
    """Return the routes of every place whose source is there, and put the places on the rail."""
    router = APIRouter(include_in_schema=False)
    for area in _areas(pages, sources):
        pages.add_place(area.place)
        router.include_router(area.router)
    return router


def _areas(pages: Pages, sources: Sources) -> tuple[_Area, ...]:
    areas = []
    if sources.prometheus:
        boards = dashboards.dashboards_router(
            pages, sources.prometheus, pages.clock, BoardShelf(sources.dashboards)
        )
        areas.append(_Area(dashboards.PLACE, boards))
        promised = slo.ObjectivePages(pages, sources.inventory, sources.prometheus)
        areas.append(_Area(slo.PLACE, promised.router()))
    if sources.jaeger:
        drawn = traces.traces_router(pages, sources.jaeger, sources.inventory)
        areas.append(_Area(traces.PLACE, drawn))
    if sources.logs:
        searched = logs.logs_router(pages, sources.logs, sources.inventory, pages.home_env)
        areas.append(_Area(logs.PLACE, searched))
    if sources.prometheus:
        copies = backups.BackupPages(pages, sources.inventory, sources.prometheus)
        areas.append(_Area(backups.PLACE, copies.router()))
        live = Live(sources.prometheus, sources.jaeger, sources.logs)
        audited = coverage.coverage_router(pages, sources.inventory, live, pages.clock)
        areas.append(_Area(coverage.PLACE, audited))
    return tuple(areas)
