"""The page of the logs: a form, the lines it finds, their fields.

Everything is in the address and the form is a plain GET, so that a search is a link, works
without JavaScript, and survives a reload. A store that is away is said here and nowhere else.
"""

import asyncio
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from abops.clients.opensearch import LogStoreError, OpenSearch
from abops.entry.web.observe import log_page
from abops.entry.web.pages import Pages, Place
from abops.inventory.load import load_inventory
from abops.kernel.errors import UsageError
from abops.observability.logs.search import LEVELS, Found
from abops.observability.logs.streams import sources as log_sources
from abops.workflows.logs import find

PLACE: Final = Place("logs", "/logs", "Logs", "logs")
PATIENCE_S: Final = 5.0


def logs_router(pages: Pages, url: str, inventory: Path, env: str) -> APIRouter:
    """Return the routes of the logs, which the store at `url` keeps."""
    router = APIRouter(include_in_schema=False)
    store = OpenSearch(url, timeout_s=PATIENCE_S)
    known = load_inventory(inventory)

    @router.get("/logs")
    async def logs(request: Request) -> Response:
        now = pages.now()
        address = log_page.read_address(request.query_params, env)
        found: Found | None = None
        columns: tuple[log_page.Column, ...] = ()
        problem: UsageError | LogStoreError | None = None
        try:
            query = log_page.query_of(address, now)
            found = await asyncio.to_thread(find, store, known, query, now)
            columns = log_page.columns_of(found, query, now)
        except (UsageError, LogStoreError) as error:
            problem = error
        status = 200 if problem is None else 400 if isinstance(problem, UsageError) else 503
        return pages.show(
            request,
            "logs.html",
            status=status,
            address=address,
            found=found,
            rows=log_page.rows_of(found, has_traces=pages.has_place("traces")) if found else (),
            columns=columns,
            older=log_page.older_url(address, found) if found else "",
            problem=problem,
            store_is_away=isinstance(problem, LogStoreError),
            levels=LEVELS,
            ranges=log_page.RANGES,
            parts_that_log=[source.part for source in log_sources(known)],
            environments=tuple(known.environments),
        )

    return router
