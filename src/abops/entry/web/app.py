"""The alert service's web application: the API for machines and the console for people.

The routes are made elsewhere; here they are put together behind one guard, with answers to
errors in the caller's language: a page for a person, a document for a program.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from fastapi import APIRouter, FastAPI, Request
from fastapi.exception_handlers import request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware

from abops.alerts.access.proxy import Network
from abops.alerts.model import Endpoints
from abops.alerts.service import AlertService
from abops.alerts.service.access import Access
from abops.alerts.service.callbacks import Callbacks
from abops.alerts.service.polling import Polling
from abops.entry.web.access import AccessPages
from abops.entry.web.actions_api import actions_router
from abops.entry.web.actor import NotLocalError
from abops.entry.web.alerts_api import STATUS, Tokens, alerts_router
from abops.entry.web.assets import Assets
from abops.entry.web.callbacks import callbacks_router
from abops.entry.web.console import console_router
from abops.entry.web.duty_api import STATUS as DUTY_STATUS
from abops.entry.web.duty_api import duty_router
from abops.entry.web.forms import FormTooLargeError, wants_values
from abops.entry.web.gate import Gate, Refuse
from abops.entry.web.guard import HEADERS, Guard
from abops.entry.web.intake_api import intake_router
from abops.entry.web.letters import STATUS as LETTER_STATUS
from abops.entry.web.letters import letters_router
from abops.entry.web.observe import STATUS as OBSERVE_STATUS
from abops.entry.web.observe import Sources, observe
from abops.entry.web.oncall_pages import Chats, oncall_router
from abops.entry.web.openapi import describe
from abops.entry.web.pages import Pages
from abops.entry.web.people_api import STATUS as PEOPLE_STATUS
from abops.entry.web.people_api import people_router
from abops.entry.web.quiet_pages import quiet_router
from abops.entry.web.reports_api import reports_router
from abops.entry.web.routing_pages import routing_router
from abops.entry.web.runbooks import RunbookMissingError, Runbooks
from abops.entry.web.statistics import statistics_router
from abops.entry.web.storms import storms_router
from abops.kernel.clock import Clock, SystemClock
from abops.kernel.errors import OpsError

COMPRESS_ABOVE: Final = 1024
API: Final = ("/v1/", "/api/")
NOT_FOUND: Final = 404
COMPRESS_LEVEL: Final = 5
"""Level 9 costs three times the CPU for two per cent."""


class PageMissingError(OpsError):
    """There is no page at this address."""

    hint = "Check the address, or start from the list of incidents."


class BrokenPageError(OpsError):
    """This page could not be made."""

    hint = "The service's log has the reason. Alerts are taken and people are told regardless."


STATUS_OF: Final[dict[type[OpsError], int]] = {
    **STATUS,
    **OBSERVE_STATUS,
    **DUTY_STATUS,
    **LETTER_STATUS,
    **PEOPLE_STATUS,
    RunbookMissingError: 404,
    NotLocalError: 403,
    FormTooLargeError: 413,
}


def create_app(  # noqa: PLR0913 - the one place where its parts are named
    service: AlertService,
    *,
    clock: Clock | None = None,
    inbox_url: str | None = None,
    runbooks: Path | None = None,
    sources: Sources | None = None,
    allow_unlinked: bool | None = None,
    poll_telegram: bool = False,
    access: Access | None = None,
    proxies: tuple[Network, ...] = (),
) -> FastAPI:
    """Return the application around `service`, which runs as long as the application does.

    `inbox_url` is where the channel servers show what they received, when they run; `runbooks`
    is the folder of the runbooks, the checkout's when None; `sources` says where metrics, traces
    and logs are, for the pages that show them. `allow_unlinked` lets anybody in the chats press
    the buttons, which None allows in the local environment only; `poll_telegram` fetches them.
    `access` knows who may do what; without it everybody on this machine may do everything, which
    is for tests of single pages only. `proxies` are believed when they name who somebody is.
    """
    assets = Assets()
    pages = Pages(service, clock or SystemClock(), assets, inbox_url=inbox_url)
    if allow_unlinked is None:
        allow_unlinked = service.config.env == "local"
    linking = access.linking if access else None
    callbacks = Callbacks(service, allow_unlinked=allow_unlinked, linking=linking)
    polling = Polling(service.config, callbacks, lambda: service.leads)

    app = FastAPI(
        title="AnalyticBot Ops",
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_life(service, polling if poll_telegram else None, access),
    )
    chats = Chats(allow_unlinked, bool(proxies))
    for router in (
        *_programs(service, callbacks),
        *_people(service, pages, access, chats),
        console_router(service, pages, Runbooks(runbooks)),
        observe(pages, sources or Sources()),
    ):
        app.include_router(router)

    _serve_files(app, assets)
    describe(app)
    answer = _answer_errors(app, pages)
    app.add_middleware(GZipMiddleware, minimum_size=COMPRESS_ABOVE, compresslevel=COMPRESS_LEVEL)
    if access:
        _close(app, access, pages, answer, proxies, service.config.endpoints)
    app.add_middleware(Guard, hosts=_own_hosts(service))
    return app


def _programs(service: AlertService, callbacks: Callbacks) -> Iterator[APIRouter]:
    """Yield the routes that programs ask."""
    yield alerts_router(service)
    yield intake_router(service)
    yield actions_router(service)
    yield callbacks_router(service, callbacks)
    yield duty_router(service)
    yield reports_router(service)


def _people(
    service: AlertService, pages: Pages, access: Access | None, chats: Chats
) -> Iterator[APIRouter]:
    """Yield the pages beside the incidents'."""
    yield oncall_router(service, pages, access, chats)
    yield routing_router(service, pages)
    yield storms_router(service, pages)
    yield quiet_router(service, pages, access)
    yield statistics_router(service, pages)
    yield letters_router(service, pages)


def _close(  # noqa: PLR0913, PLR0917 - the parts of a door
    app: FastAPI,
    access: Access,
    pages: Pages,
    refuse: Refuse,
    proxies: tuple[Network, ...],
    where: Endpoints,
) -> None:
    """Let in who may come in, and give people the pages by which they do."""
    signing = AccessPages(access, pages, url=where.service_url, proxies=proxies)
    app.include_router(signing.router())
    app.include_router(people_router(access))
    tokens = Tokens(Path(where.secrets_dir))
    app.add_middleware(Gate, access=access, tokens=tokens, refuse=refuse, proxies=proxies)


def _life(
    service: AlertService, polling: Polling | None, access: Access | None
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Return what runs as long as the application does."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if access:
            await asyncio.to_thread(access.open)
        await service.start()
        if polling:
            polling.start()
        try:
            yield
        finally:
            if polling:
                await polling.stop()
            await service.stop()
            if access:
                access.close()

    return lifespan


def _serve_files(app: FastAPI, assets: Assets) -> None:
    @app.get("/static/{version}/{name:path}", include_in_schema=False)
    async def static(request: Request, version: str, name: str) -> Response:
        found = assets.response(version, name, request.headers)
        return found or PlainTextResponse("not found\n", 404)


def _own_hosts(service: AlertService) -> set[str]:
    """Return the host names that the configuration gives this service."""
    urls = (service.config.routing.public_url, service.config.endpoints.service_url)
    return {host for url in urls if (host := urlsplit(url).hostname)}


def _answer_errors(app: FastAPI, pages: Pages) -> Refuse:
    """Turn what goes wrong into a page for people and a document for programs."""

    def answer(request: Request, error: OpsError, status: int) -> Response:
        if request.url.path.startswith(API) or wants_values(request):
            return JSONResponse({"error": str(error), "hint": error.hint}, status)
        if status == NOT_FOUND and error.hint == OpsError.hint:
            error.hint = PageMissingError.hint
        return pages.problem(request, error, status)

    @app.exception_handler(OpsError)
    async def known(request: Request, error: OpsError) -> Response:
        return answer(request, error, STATUS_OF.get(type(error), 500))

    @app.exception_handler(RequestValidationError)
    async def unreadable(request: Request, error: RequestValidationError) -> Response:
        if request.url.path.startswith(API):
            return await request_validation_exception_handler(request, error)
        return answer(request, PageMissingError(), NOT_FOUND)

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        if error.status_code == NOT_FOUND:
            return answer(request, PageMissingError(), NOT_FOUND)
        return answer(request, OpsError(str(error.detail), hint="Go back."), error.status_code)

    @app.exception_handler(Exception)
    async def unknown(request: Request, _: Exception) -> Response:
        response = answer(request, BrokenPageError(), 500)
        response.headers.update(HEADERS)  # made outside the guard
        return response

    return answer
