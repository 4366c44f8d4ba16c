"""The console's pages: read incidents, acknowledge them, read runbooks.

Each page is complete without JavaScript; a script only keeps it current and adds the keyboard.
What a page shows is decided in `listing` and `story`; this module asks the service and fills
templates.
"""

import re
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from abops.alerts.model import Alert, IncidentDetail
from abops.alerts.service import AlertService
from abops.entry.web import listing, story
from abops.entry.web.caller import caller_of, is_guarded
from abops.entry.web.forms import after, local_path, read_form
from abops.entry.web.guard import is_local
from abops.entry.web.pages import NAME_COOKIE, THEME_COOKIE, THEMES, Pages
from abops.entry.web.runbooks import Runbook, Runbooks
from abops.entry.web.topology import picture_of
from abops.kernel.errors import OpsError

KNOWN_AT_MOST: Final = 10_000
"""Incidents that counts and filters look at; beyond it the newest resolved ones count."""
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
            similar=await service.similar(detail),
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
        _require_local(request)
        form = await read_form(request)
        name = form.get("by", "").strip()[:64]
        by = _who(request, name)
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

    @router.post("/incidents/{number}/unack")
    async def unack(request: Request, number: int) -> Response:
        _require_local(request)
        form = await read_form(request)
        by = _who(request, "")
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


def _runbook(runbooks: Runbooks, detail: IncidentDetail, why: Alert | None) -> Runbook | None:
    """Return the runbook of the alert that explains the page, else of the first that has one."""
    names = [why.name] if why else []
    names += [member.alert.name for member in detail.members]
    name = next(filter(runbooks.has, names), None)
    return Runbook(name, runbooks.html(name)) if name else None


def _require_local(request: Request) -> None:
    """Without a gate, which knows who asks, only this machine may act; raises NotLocalError."""
    if not is_guarded(request) and not is_local(request):
        raise NotLocalError


def _who(request: Request, typed: str) -> str:
    """Return who acts: who is signed in; without a gate the name that was typed."""
    caller = caller_of(request)
    return caller.name if caller else typed or request.cookies.get(NAME_COOKIE, "") or "console"


class NotLocalError(OpsError):
    """Without a login, incidents are acted on from this machine only."""

    hint = "Use a tunnel to this machine, or the API with the token `respond`."


def _remember(response: Response, cookie: str, value: str) -> None:
    response.set_cookie(cookie, value, max_age=A_YEAR_S, samesite="strict", httponly=True)
