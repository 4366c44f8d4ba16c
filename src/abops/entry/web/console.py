"""The console's pages: read incidents, acknowledge them, read runbooks.

Each page is complete without JavaScript; a script only keeps it current and adds the keyboard.
What a page shows is decided in `listing` and `story`; this module asks the service and fills
templates.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from abops.alerts.model import Alert, IncidentDetail
from abops.alerts.service import AlertService
from abops.entry.web import listing, story, wording
from abops.entry.web.assets import Assets
from abops.entry.web.guard import is_local
from abops.entry.web.runbooks import Runbook, Runbooks
from abops.kernel.clock import Clock
from abops.kernel.errors import OpsError
from abops.kernel.quantities import humanize_seconds

TEMPLATES: Final = Path(__file__).parent / "templates"
KNOWN_AT_MOST: Final = 10_000
"""Incidents that counts and filters look at; beyond it the newest resolved ones count."""
FORM_AT_MOST: Final = 16_384
A_YEAR_S: Final = 365 * 86_400
THEMES: Final = ("auto", "light", "dark")
NAME_COOKIE: Final = "abops_name"
THEME_COOKIE: Final = "abops_theme"


class Pages:
    """Fills the templates."""

    def __init__(
        self,
        service: AlertService,
        clock: Clock,
        assets: Assets,
        *,
        inbox_url: str | None,
    ) -> None:
        self._service = service
        self._clock = clock
        self._frame = {"home_env": service.config.env, "inbox_url": inbox_url}
        self._templates = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {
            "absolute": wording.absolute,
            "short_count": wording.short_count,
            "age": wording.ago,
            "with_code": wording.with_code,
            "web_address": wording.web_address,
            "duration": lambda span: humanize_seconds(span.total_seconds()),
        }
        self._templates.globals |= {"asset": assets.url, "scripts": assets.scripts()}

    def now(self) -> datetime:
        """Return the moment the page is made for."""
        return self._clock.now()

    def show(
        self, request: Request, template: str, *, status: int = 200, **values: object
    ) -> HTMLResponse:
        """Return the filled template as an answer that nothing keeps."""
        now = self._clock.now()
        theme = request.cookies.get(THEME_COOKIE, "auto")
        text = self._templates.get_template(template).render(
            values
            | self._frame
            | {
                "now": now,
                "trouble": self._service.readiness().reasons,
                "ago": lambda moment: wording.ago(now - moment),
                "theme": theme if theme in THEMES else "auto",
                "name": request.cookies.get(NAME_COOKIE, "")[:64],
                "here": _here(request),
                "search_words": request.query_params.get("q", ""),
            }
        )
        return HTMLResponse(text, status, headers={"Cache-Control": "no-store"})

    def problem(self, request: Request, error: OpsError, status: int) -> HTMLResponse:
        """Return the page that says what went wrong and what to do."""
        return self.show(request, "error.html", status=status, error=error, code=status)


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
        )


def _add_search(router: APIRouter, service: AlertService, pages: Pages, runbooks: Runbooks) -> None:
    @router.get("/search")
    async def search(request: Request) -> Response:
        words = request.query_params.get("q", "")[:200]
        known = await service.incidents(limit=KNOWN_AT_MOST)
        number = listing.incident_number(words)
        if number is not None and any(i.number == number for i in known):
            return RedirectResponse(f"/incidents/{number}", 303)
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
            {"number": number, "state": changed.state, "acked_by": changed.acked_by},
        )
        if name:
            _remember(response, NAME_COOKIE, name)
        return response

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
    """Without a login, incidents are acknowledged on this machine only."""

    hint = "Use a tunnel to this machine, or the API with the token `respond`."


class FormTooLargeError(OpsError):
    """This form is larger than any of the console's."""

    hint = "Go back and shorten what you typed."


def _remember(response: Response, cookie: str, value: str) -> None:
    response.set_cookie(cookie, value, max_age=A_YEAR_S, samesite="strict", httponly=True)


def _here(request: Request) -> str:
    query = urlencode(request.query_params.multi_items())
    return f"{request.url.path}?{query}" if query else request.url.path


def _local(address: str, otherwise: str = "/incidents") -> str:
    """Return `address` when it is a path on this server: nobody is sent elsewhere."""
    is_path = address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if is_path and address.isprintable() else otherwise
