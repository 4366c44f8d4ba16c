"""The console's pages: read incidents, acknowledge them, read runbooks.

Each page is complete without JavaScript; a script only keeps it current and adds the keyboard.
What a page shows is decided in `listing` and `story`; this module asks the service and fills
templates.
"""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from abops.alerts.model import Alert, IncidentDetail
from abops.alerts.service import AlertService
from abops.entry.web import listing, story
from abops.entry.web.guard import is_local
from abops.entry.web.pages import NAME_COOKIE, THEME_COOKIE, THEMES, Pages
from abops.entry.web.runbooks import Runbook, Runbooks
from abops.entry.web.topology import picture_of
from abops.kernel.errors import OpsError

KNOWN_AT_MOST: Final = 10_000
"""Incidents that counts and filters look at; beyond it the newest resolved ones count."""
FORM_AT_MOST: Final = 16_384
TRACE_ID: Final = re.compile(r"[0-9a-fA-F]{32}")
A_YEAR_S: Final = 365 * 86_400


def console_router(service: AlertService, pages: Pages, runbooks: Runbooks) -> APIRouter:
    """Return the routes of the console."""
    router = APIRouter(include_in_schema=False)
    _add_incidents(router, service, pages, runbooks)
    _add_search(router, service, pages, runbooks)
    _add_actions(router, service)
    return router


def _add_incidents(
    router: APIRouter, service: AlertService, pages: Pages, runbooks: Runbooks
) -> None:
    @router.get("/")
    async def home() -> Response:
        return RedirectResponse("/incidents", 307)

    @router.get("/incidents")
    async def incidents(request: Request) -> Response:
        known = await service.incidents(limit=KNOWN_AT_MOST)
        query = listing.read_query(request.query_params)
        content = listing.list_incidents(known, query, pages.now())
        return pages.show(
            request, "incidents.html", list=content, ranges=listing.RANGES, any_known=bool(known)
        )

    @router.get("/incidents/{number}")
    async def incident(request: Request, number: int) -> Response:
        detail = await service.incident(number)
        why = story.reason_of(detail)
        return pages.show(
            request,
            "incident.html",
            detail=detail,
            incident=detail.summary,
            why=why,
            told=story.who_was_told(detail.deliveries),
            timeline=story.with_gaps(detail.timeline),
            runbook=_runbook(runbooks, detail, why),
            picture=picture_of(detail, service.config.calls),
        )


def _add_search(router: APIRouter, service: AlertService, pages: Pages, runbooks: Runbooks) -> None:
    @router.get("/search")
    async def search(request: Request) -> Response:
        words = request.query_params.get("q", "")[:200]
        known = await service.incidents(limit=KNOWN_AT_MOST)
        number = listing.incident_number(words)
        if number is not None and any(i.number == number for i in known):
            return RedirectResponse(f"/incidents/{number}", 303)
        if TRACE_ID.fullmatch(words.strip()) and (page := pages.page_of_trace(words.strip())):
            return RedirectResponse(page, 303)
        found = listing.find_incidents(known, words)
        books = [n for n in runbooks.names() if words and words.casefold() in n.casefold()]
        return pages.show(request, "search.html", words=words, found=found, books=books)

    @router.get("/runbooks/{name}")
    async def runbook(request: Request, name: str) -> Response:
        return pages.show(request, "runbook.html", title=name, body=runbooks.html(name))

    @router.get("/help")
    async def keys(request: Request) -> Response:
        return pages.show(request, "help.html")


def _add_actions(router: APIRouter, service: AlertService) -> None:
    @router.post("/incidents/{number}/ack")
    async def ack(request: Request, number: int) -> Response:
        if not is_local(request):
            raise NotLocalError
        form = await _form(request)
        name = form.get("by", "").strip()[:64]
        by = name or request.cookies.get(NAME_COOKIE, "") or "console"
        changed = await service.ack(number, by=by, via="console")
        response = _after(
            request,
            _local(form.get("back", ""), f"/incidents/{number}"),
            {
                "number": number,
                "state": changed.state,
                "acked_by": changed.acked_by,
                "undo": changed.state == "acked" and changed.acked_by == by,
            },
        )
        if name:
            _remember(response, NAME_COOKIE, name)
        return response

    @router.post("/incidents/{number}/unack")
    async def unack(request: Request, number: int) -> Response:
        if not is_local(request):
            raise NotLocalError
        form = await _form(request)
        by = request.cookies.get(NAME_COOKIE, "") or "console"
        changed = await service.unack(number, by=by, via="console")
        return _after(
            request,
            _local(form.get("back", ""), f"/incidents/{number}"),
            {"number": number, "state": changed.state, "acked_by": changed.acked_by},
        )

    @router.post("/preferences/theme")
    async def theme(request: Request) -> Response:
        form = await _form(request)
        response = RedirectResponse(_local(form.get("back", "")), 303)
        if form.get("theme") in THEMES:
            _remember(response, THEME_COOKIE, form["theme"])
        return response


def _runbook(runbooks: Runbooks, detail: IncidentDetail, why: Alert | None) -> Runbook | None:
    """Return the runbook of the alert that explains the page, else of the first that has one."""
    names = [why.name] if why else []
    names += [member.alert.name for member in detail.members]
    name = next(filter(runbooks.has, names), None)
    return Runbook(name, runbooks.html(name)) if name else None


def wants_values(request: Request) -> bool:
    """Tell whether a script asks, which shows the answer itself."""
    return "application/json" in request.headers.get("accept", "")


def _after(request: Request, back: str, result: Mapping[str, str | int]) -> Response:
    """Answer an action: values for the script, the page it came from for a form."""
    if wants_values(request):
        return JSONResponse(result)
    return RedirectResponse(back, 303)


async def _form(request: Request) -> dict[str, str]:
    """Read a submitted form; of fields that come twice the first counts."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_AT_MOST:
            raise FormTooLargeError
    fields = parse_qs(body.decode("utf-8", errors="replace"), keep_blank_values=True)
    return {name: values[0] for name, values in fields.items()}


class NotLocalError(OpsError):
    """Without a login, incidents are acted on from this machine only."""

    hint = "Use a tunnel to this machine, or the API with the token `respond`."


class FormTooLargeError(OpsError):
    """This form is larger than any of the console's."""

    hint = "Go back and shorten what you typed."


def _remember(response: Response, cookie: str, value: str) -> None:
    response.set_cookie(cookie, value, max_age=A_YEAR_S, samesite="strict", httponly=True)


def _local(address: str, otherwise: str = "/incidents") -> str:
    """Return `address` when it is a path on this server: nobody is sent elsewhere."""
    is_path = address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if is_path and address.isprintable() else otherwise
