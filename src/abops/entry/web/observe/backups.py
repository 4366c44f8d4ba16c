"""Can it be restored? One line a destination: last backup, last proven restore, RTO, RPO, gaps."""

from datetime import timedelta
from pathlib import Path
from typing import Final, NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import Response

from abops.clients.prometheus_queries import PrometheusError
from abops.entry.web.observe.prometheus_pages import PrometheusPages
from abops.entry.web.pages import Pages, Place
from abops.observability.protection import Drill, Standing
from abops.workflows.protection import Picture, Protection

PLACE: Final = Place("backups", "/backups", "Backups", "backups")
BAR: Final = 100
"""Width of the bar of a restore's phases, in its own units: the slowest restore fills it."""


class Slice(NamedTuple):
    """A phase of a restore in the bar: where it begins and how wide it is."""

    phase: str
    span: timedelta
    start: float
    width: float


class Row(NamedTuple):
    """One line of the table."""

    standing: Standing
    slices: tuple[Slice, ...]


class BackupPages(PrometheusPages):
    """The page about the backups."""

    def __init__(self, pages: Pages, inventory: Path, url: str) -> None:
        super().__init__(pages, inventory, url)
        self._protection = Protection(self._client, pages.clock)

    def router(self) -> APIRouter:
        """Return the route."""
        router = APIRouter(include_in_schema=False, lifespan=self.lifespan)
        router.get("/backups")(self.page)
        return router

    async def page(self, request: Request) -> Response:
        """Show every destination and whether the database could be brought back from it."""
        backup = self.inventory.backup
        picture: Picture | None = None
        problem: PrometheusError | None = None
        if backup is not None:
            try:
                picture = await self._protection.picture(backup)
                problem = picture.problem
            except PrometheusError as error:
                problem = error
        standings = picture.standings if picture else ()
        return self._pages.show(
            request,
            "backups.html",
            backup=backup,
            picture=picture,
            problem=problem,
            rows=rows(standings),
            restorable=[one for one in standings if is_restorable(one)],
        )


def is_restorable(one: Standing) -> bool:
    """Tell whether a restore from it was seen to work, and nothing critical stands against it."""
    return one.drill is not None and one.severity != "critical"


def rows(standings: tuple[Standing, ...]) -> list[Row]:
    """Return the lines; bars of restores have one scale, so that they can be compared."""
    longest = max((one.drill.rto for one in standings if one.drill), default=timedelta())
    return [Row(one, _slices(one.drill, longest)) for one in standings]


def _slices(drill: Drill | None, longest: timedelta) -> tuple[Slice, ...]:
    if drill is None or not longest:
        return ()
    found: list[Slice] = []
    start = 0.0
    for phase, span in drill.phases:
        width = span / longest * BAR
        found.append(Slice(phase, span, round(start, 2), round(width, 2)))
        start += width
    return tuple(found)
