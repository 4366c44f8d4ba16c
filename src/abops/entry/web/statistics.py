"""What alerts cost people, and what to change: the statistics page.

The page is a form with links and tables: it needs no script, and its address says what it shows.
"""

from typing import Final

from fastapi import APIRouter, Request, Response

from abops.alerts.score.fatigue import NIGHT, Fatigue
from abops.alerts.service import AlertService
from abops.alerts.service.report import duration
from abops.entry.web.pages import Pages, Place

PLACE: Final = Place("statistics", "/alerts/statistics", "Statistics", "statistics")
DAYS: Final = (7, 30, 90)
MOST_DAYS: Final = 366


def statistics_router(service: AlertService, pages: Pages) -> APIRouter:
    """Return the routes of the statistics, and put their place on the rail."""
    router = APIRouter()
    pages.add_place(PLACE)

    @router.get("/alerts/statistics", include_in_schema=False)
    async def statistics(request: Request) -> Response:
        days = _days(request)
        period = await service.fatigue(days=days)
        return pages.show(
            request,
            "statistics.html",
            period=period,
            tiles=_tiles(period.now, period.before),
            days=days,
            offered=DAYS,
            night=NIGHT,
            duration=duration,
        )

    return router


def _tiles(now: Fatigue, before: Fatigue) -> tuple[tuple[str, str, str], ...]:
    """Return what is counted, its figure, and the figure of the period before."""

    def figures(of: Fatigue) -> tuple[str, ...]:
        each = "-" if of.alerts_per_incident is None else f"{of.alerts_per_incident:.1f}"
        acked = f"{of.acked / of.incidents:.0%}" if of.incidents else "-"
        pages = sum(person.day + person.night for person in of.people)
        return (
            str(of.incidents),
            each,
            acked,
            duration(of.mtta_s),
            duration(of.mttr_s),
            str(pages),
        )

    names = ("Incidents", "Alerts an incident", "Acknowledged", "MTTA", "MTTR", "Pages")
    return tuple(zip(names, figures(now), figures(before), strict=True))


def _days(request: Request) -> int:
    """Return the period that is asked for; what cannot be read is a week."""
    text = request.query_params.get("days", "")
    if not (text.isascii() and text.isdigit() and len(text) < 4):  # noqa: PLR2004
        return DAYS[0]
    return min(max(int(text), 1), MOST_DAYS)
