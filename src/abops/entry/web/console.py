"""The console's pages: read incidents, acknowledge them, read runbooks.

Each page is complete without JavaScript; a script only keeps it current and adds the keyboard.
What a page shows is decided in `listing`, `incident_page` and `story`; this module asks the
service and fills templates.
"""

import re
from contextlib import suppress
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from abops.alerts.service import AlertService
from abops.alerts.service.memory import IncidentUnknownError
from abops.entry.web import listing
from abops.entry.web.actor import require_local, who_acts
from abops.entry.web.caller import caller_of
from abops.entry.web.forms import after, local_path, read_fields, read_form
from abops.entry.web.incident_forms import add_incident_forms
from abops.entry.web.incident_page import IncidentPage
from abops.entry.web.pages import NAME_COOKIE, THEME_COOKIE, THEMES, Pages
from abops.entry.web.runbooks import Runbooks
from abops.entry.web.storms import storms_of

KNOWN_AT_MOST: Final = 10_000
"""Incidents that counts and filters look at; beyond it the newest resolved ones count."""
FOUND_AT_MOST: Final = 100
TICKED_AT_MOST: Final = 100
NUMBER: Final = re.compile(r"[0-9]{1,15}")
TRACE_ID: Final = re.compile(r"[0-9a-fA-F]{32}")
A_YEAR_S: Final = 365 * 86_400


def console_router(service: AlertService, pages: Pages, runbooks: Runbooks) -> APIRouter:
    """Return the routes of the console."""
    router = APIRouter(include_in_schema=False)
    page = IncidentPage(service, pages, runbooks)
    _add_incidents(router, service, pages, page)
    add_incident_forms(router, service, page)
    _add_search(router, service, pages, runbooks)
    _add_actions(router, service)
    return router


def _add_incidents(
    router: APIRouter, service: AlertService, pages: Pages, page: IncidentPage
) -> None:
    @router.get("/")
    async def home() -> Response:
        return RedirectResponse("/incidents", 307)

    @router.get("/incidents")
    async def incidents(request: Request) -> Response:
        known = await service.briefs(limit=KNOWN_AT_MOST)
        query = listing.read_query(request.query_params)
        content = listing.list_incidents(known, query, pages.now())
        rows = await service.summaries([line.number for line in content.rows])
        return pages.show(
            request,
            "incidents.html",
            list=content,
            rows=rows,
            ranges=listing.RANGES,
            any_known=bool(known),
            storms=await storms_of(service, rows),
            upcoming=await service.upcoming([row.number for row in rows]),
        )

    @router.get("/incidents/{number}")
    async def incident(request: Request, number: int) -> Response:
        return await page.show(request, number)


def _add_search(router: APIRouter, service: AlertService, pages: Pages, runbooks: Runbooks) -> None:
    @router.get("/search")
    async def search(request: Request) -> Response:
        words = request.query_params.get("q", "")[:200]
        known = await service.briefs(limit=KNOWN_AT_MOST)
        number = listing.incident_number(words)
        if number is not None and any(i.number == number for i in known):
            return RedirectResponse(f"/incidents/{number}", 303)
        if TRACE_ID.fullmatch(words.strip()) and (page := pages.page_of_trace(words.strip())):
            return RedirectResponse(page, 303)
        lines = listing.find_incidents(known, words)
        found = await service.summaries([line.number for line in lines[:FOUND_AT_MOST]])
        books = [n for n in runbooks.names() if words and words.casefold() in n.casefold()]
        storms = await storms_of(service, found)
        upcoming = await service.upcoming([one.number for one in found])
        return pages.show(
            request,
            "search.html",
            words=words,
            found=found,
            count=len(lines),
            books=books,
            storms=storms,
            upcoming=upcoming,
        )

    @router.get("/runbooks/{name}")
    async def runbook(request: Request, name: str) -> Response:
        return pages.show(request, "runbook.html", title=name, body=runbooks.html(name))

    @router.get("/help")
    async def keys(request: Request) -> Response:
        return pages.show(request, "help.html")


def _add_actions(router: APIRouter, service: AlertService) -> None:
    @router.post("/incidents/{number}/ack")
    async def ack(request: Request, number: int) -> Response:
        require_local(request)
        form = await read_form(request)
        name = form.get("by", "").strip()[:64]
        by = who_acts(request, name)
        changed = await service.ack(number, by=by, via="console")
        response = after(
            request,
            local_path(form.get("back", ""), f"/incidents/{number}"),
            {
                "number": number,
                "state": changed.state,
                "acked_by": changed.acked_by,
                "undo": changed.state == "acked" and changed.acked_by == by,
            },
        )
        if name and caller_of(request) is None:
            _remember(response, NAME_COOKIE, name)
        return response

    @router.post("/incidents/ack")
    async def ack_ticked(request: Request) -> Response:
        require_local(request)
        form = await read_fields(request)
        numbers = {int(text) for text in form.get("number", []) if NUMBER.fullmatch(text)}
        for number in sorted(numbers)[:TICKED_AT_MOST]:
            with suppress(IncidentUnknownError):  # merged meanwhile
                await service.ack(number, by=who_acts(request), via="console")
        return after(request, local_path(form.get("back", [""])[0]), {"acked": len(numbers)})

    @router.post("/incidents/{number}/unack")
    async def unack(request: Request, number: int) -> Response:
        require_local(request)
        form = await read_form(request)
        by = who_acts(request)
        changed = await service.unack(number, by=by, via="console")
        return after(
            request,
            local_path(form.get("back", ""), f"/incidents/{number}"),
            {"number": number, "state": changed.state, "acked_by": changed.acked_by},
        )

    @router.post("/preferences/theme")
    async def theme(request: Request) -> Response:
        form = await read_form(request)
        response = RedirectResponse(local_path(form.get("back", "")), 303)
        if form.get("theme") in THEMES:
            _remember(response, THEME_COOKIE, form["theme"])
        return response


def _remember(response: Response, cookie: str, value: str) -> None:
    response.set_cookie(cookie, value, max_age=A_YEAR_S, samesite="strict", httponly=True)
