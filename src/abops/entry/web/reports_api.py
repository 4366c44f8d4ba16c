"""Storms, reports and the training of the score, for programs: what the pages show, as values."""

from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response

from abops.alerts.service import AlertService
from abops.entry.web.alerts_api import (
    Answered,
    Tokens,
    answer,
    require_respond,
    whole_number,
)

STORMS: Final = 50
MOST_DAYS: Final = 366
WEEK: Final = 7
NAME: Final = "AnalyticBot Ops"


def reports_router(service: AlertService) -> APIRouter:
    """Return the routes of storms, reports and training."""
    router = APIRouter(route_class=Answered, tags=["reports"])
    tokens = Tokens(Path(service.config.endpoints.secrets_dir))

    @router.get("/v1/storms")
    async def storms(request: Request) -> Response:
        """Return storms, those that rage first, then the newest: ?limit=50."""
        return answer(await service.storms(limit=whole_number(request, "limit", STORMS)))

    @router.get("/v1/reports/fatigue")
    async def fatigue(request: Request) -> Response:
        """Return what the last days cost people, and what to change: ?days=7."""
        days = whole_number(request, "days", WEEK, most=MOST_DAYS)
        return answer(await service.fatigue(days=days))

    @router.get("/v1/reports/weekly")
    async def weekly(request: Request) -> Response:
        """Return the report of the last seven days as subject, text and HTML: ?name=..."""
        name = request.query_params.get("name", "")[:64] or NAME
        return answer(await service.weekly(name))

    @router.post("/v1/train")
    async def train(request: Request) -> Response:
        """Fit the score to all labels; the answer comes when that is done."""
        require_respond(request, tokens)
        return answer(await service.train())

    return router
