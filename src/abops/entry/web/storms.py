"""Storms: when too much came for anybody to read, how much, and who was told what of it.

The page needs no script; one keeps it current while a storm rages.
"""

import math
from collections.abc import Iterable
from typing import Final

from fastapi import APIRouter, Request, Response
from msgspec import Struct

from abops.alerts.model import IncidentSummary, Storm
from abops.alerts.service import AlertService
from abops.alerts.storm.digest import DIGEST_EVERY_S, PAGES, REPRESENTATIVES
from abops.alerts.storm.stream import StormSetting
from abops.entry.web.pages import Pages, Place

PLACE: Final = Place("storms", "/storms", "Storms", "storms")
AT_MOST: Final = 50
LEAST: Final = 0.1
"""Alerts a minute at the left end of a bar: what is rarer looks the same."""


class Bars(Struct, frozen=True):
    """How long the bars of a storm are, in per cent; each step to the right is a factor."""

    rate: float
    baseline: float


def storms_router(service: AlertService, pages: Pages) -> APIRouter:
    """Return the routes of the storms, and put their place on the rail."""
    router = APIRouter()
    pages.add_place(PLACE)

    @router.get("/storms", include_in_schema=False)
    async def storms(request: Request) -> Response:
        found = await service.storms(limit=AT_MOST)
        most = max((storm.rate for storm in found), default=1.0)
        return pages.show(
            request,
            "storms.html",
            running=[storm for storm in found if storm.ended_at is None],
            over=[storm for storm in found if storm.ended_at is not None],
            bars=lambda storm: bars_of(storm, most),
            floor=StormSetting().floor,
            ratio=StormSetting().ratio,
            digest_s=DIGEST_EVERY_S,
            named=REPRESENTATIVES,
            pages=PAGES,
        )

    return router


async def storms_of(
    service: AlertService, incidents: Iterable[IncidentSummary]
) -> dict[int, Storm]:
    """Return the storms that incidents of a list stand for, by number; mostly there are none."""
    if all(incident.shape != "storm" for incident in incidents):
        return {}
    found = await service.storms(limit=AT_MOST)
    return {storm.incident: storm for storm in reversed(found)}


def bars_of(storm: Storm, most: float) -> Bars:
    """Return the lengths of a storm's bars beside the worst storm's.

    They are logarithms, so that one alert a minute can be seen beside ten thousand.
    """

    def length(rate: float) -> float:
        span = math.log10(max(most, 1.0) / LEAST)
        return round(100 * math.log10(max(rate, LEAST) / LEAST) / span, 1)

    return Bars(length(storm.rate), length(storm.baseline))
