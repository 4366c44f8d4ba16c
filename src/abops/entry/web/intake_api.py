"""Taking alerts from others than Alertmanager, and what was changed.

The path is the same for all: committed before it is answered, 503 with Retry-After under load,
what cannot be read is kept. A list of which one part cannot be read is taken without that part.
"""

from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response

from abops.alerts.ingest.sources import Source
from abops.alerts.service import AlertService
from abops.entry.web.alerts_api import Answered, Tokens, answer, read_body, whole_number

SOURCES: Final[dict[str, Source]] = {
    "/v1/generic": "generic",
    "/v1/grafana": "grafana",
    "/v1/kubernetes-events": "kubernetes",
    "/api/v2/alerts": "prometheus",
}
CHANGES_BYTES: Final = 2**20
_FOREVER: Final = 2**40


def intake_router(service: AlertService) -> APIRouter:
    """Return the routes that others send to."""
    router = APIRouter(route_class=Answered, tags=["intake"])
    tokens = Tokens(Path(service.config.endpoints.secrets_dir))
    for path, source in SOURCES.items():
        _add_source(router, service, tokens, path, source)
    _add_changes(router, service, tokens)
    return router


def _add_source(
    router: APIRouter, service: AlertService, tokens: Tokens, path: str, source: Source
) -> None:
    @router.post(path, name=f"take_{source}")
    async def take(request: Request) -> Response:
        """Take alerts in this sender's form; the answer comes when they are on disk."""
        tokens.require(request, "ingest")
        result = await service.ingest(await read_body(request), source)
        return answer(result)


def _add_changes(router: APIRouter, service: AlertService, tokens: Tokens) -> None:
    @router.post("/v1/changes")
    async def record(request: Request) -> Response:
        """Note a deploy, a migration, a switch: shown beside incidents, twice is once."""
        tokens.require(request, "ingest")
        result = await service.record_changes(await read_body(request, CHANGES_BYTES))
        return answer(result)

    @router.get("/v1/changes")
    async def changes(request: Request) -> Response:
        """Return what was changed, the newest first."""
        found = await service.changes(
            float(whole_number(request, "since", 0, most=_FOREVER, least=0)),
            float(whole_number(request, "until", _FOREVER, most=_FOREVER, least=0)),
            service=request.query_params.get("service", ""),
            limit=whole_number(request, "limit", 100),
        )
        return answer(found)
