"""The pages of traces: a search, and one trace drawn as it went through the services.

Everything is in the address and nothing needs a script: a trace is a link that can be sent. A
Jaeger that is away is said here and nowhere else.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from abops.clients.jaeger import Jaeger, TraceStoreError
from abops.entry.web.observe import trace_page
from abops.entry.web.pages import Pages, Place
from abops.inventory.load import load_inventory
from abops.kernel.errors import OpsError, UsageError
from abops.observability.traces.layout import brief
from abops.workflows.traces import find_traces, picture_of

PLACE: Final = Place("traces", "/traces", "Traces", "traces")
PATIENCE_S: Final = 5.0
T = TypeVar("T")


def traces_router(pages: Pages, url: str, inventory: Path) -> APIRouter:
    """Return the routes of the traces, which the Jaeger at `url` keeps."""
    router = APIRouter(include_in_schema=False)
    jaeger = Jaeger(url, timeout_s=PATIENCE_S)
    known = load_inventory(inventory)
    # Where names stand close together, what all services have in common is left out.
    prefix = f"{known.name}-"
    _add_search(router, pages, jaeger, tuple(known.environments), prefix)
    _add_trace(router, pages, jaeger, prefix)
    return router


def _add_search(
    router: APIRouter, pages: Pages, jaeger: Jaeger, environments: tuple[str, ...], prefix: str
) -> None:
    @router.get("/traces")
    async def traces(request: Request) -> Response:
        now = pages.now()
        wanted = request.query_params.get("trace", "").strip()
        if trace_page.TRACE.fullmatch(wanted):
            return RedirectResponse(f"/traces/{wanted.lower()}", 303)
        address = trace_page.read_address(request.query_params, pages.home_env)
        query = found = None
        problem: OpsError | None = None
        try:
            query = trace_page.query_of(address, now)
            found = await _ask(lambda: find_traces(jaeger, query, pages.clock))
        except (UsageError, TraceStoreError) as error:
            problem = error
        older = ""
        if found:
            older = trace_page.older_url(address, found.traces, is_partial=found.is_partial)
        return pages.show(
            request,
            "traces.html",
            status=_status(problem),
            address=address,
            wanted=wanted,
            found=found,
            lines=trace_page.lines_of(found.traces) if found else (),
            dots=trace_page.dots_of(found.traces, query) if found and query else (),
            older=older,
            problem=problem,
            is_away=isinstance(problem, TraceStoreError),
            ranges=trace_page.RANGES,
            minima=trace_page.MINIMA,
            environments=environments,
            prefix=prefix,
        )


def _add_trace(router: APIRouter, pages: Pages, jaeger: Jaeger, prefix: str) -> None:
    @router.get("/traces/{trace}")
    async def trace(request: Request, trace: str) -> Response:
        whole = request.query_params.get("all") == "1"
        is_id = bool(trace_page.TRACE.fullmatch(trace))
        picture = None
        problem: OpsError | None = None
        try:
            if is_id:
                picture = await _ask(lambda: picture_of(jaeger, trace.lower(), whole=whole))
        except TraceStoreError as error:
            problem = error
        status = _status(problem) if problem or picture else 404
        return pages.show(
            request,
            "trace.html",
            status=status,
            trace=trace[:64],
            is_id=is_id,
            picture=picture,
            began=trace_page.moment_of(picture.start_ns) if picture else None,
            ticks=trace_page.ticks_of(picture) if picture else (),
            marks=trace_page.marks_of(picture) if picture else (),
            problem=problem,
            has_logs=pages.has_place("logs"),
            brief=brief,
            prefix=prefix,
        )


def _status(problem: OpsError | None) -> int:
    if problem is None:
        return 200
    return 400 if isinstance(problem, UsageError) else 503


async def _ask(question: Callable[[], T]) -> T:
    return await asyncio.to_thread(question)
