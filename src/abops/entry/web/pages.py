"""Fills the console's templates: the frame of each page, and what every page knows."""

from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from abops.alerts.service import AlertService
from abops.entry.web import wording
from abops.entry.web.assets import Assets
from abops.entry.web.caller import caller_of, is_guarded, may
from abops.entry.web.quiet_words import in_words
from abops.kernel.clock import Clock, moment
from abops.kernel.errors import OpsError
from abops.kernel.quantities import humanize_seconds

TEMPLATES: Final = Path(__file__).parent / "templates"
THEMES: Final = ("auto", "light", "dark")
NAME_COOKIE: Final = "abops_name"
THEME_COOKIE: Final = "abops_theme"


class Place(NamedTuple):
    """An entry of the rail. `section` is what its pages set; `icon` is drawn by `_parts.html`."""

    section: str
    path: str
    title: str
    icon: str


INCIDENTS: Final = Place("incidents", "/incidents", "Incidents", "incidents")


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
        self._places = [INCIDENTS]
        self._frame = {
            "home_env": service.config.env,
            "inbox_url": inbox_url,
            "places": self._places,
        }
        self._templates = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {
            "absolute": wording.absolute,
            "moment": moment,
            "short_count": wording.short_count,
            "age": wording.ago,
            "with_code": wording.with_code,
            "matchers": in_words,
            "web_address": wording.web_address,
            "in_zone": wording.local_time,
            "span": wording.span_in_words,
            "duration": lambda span: humanize_seconds(span.total_seconds()),
        }
        self._templates.globals |= {"asset": assets.url, "scripts": assets.scripts()}

    def add_place(self, place: Place) -> None:
        """Put a place on the rail, after those that are there."""
        self._places.append(place)

    @property
    def home_env(self) -> str:
        """Return the environment that this console watches."""
        return self._service.config.env

    def has_place(self, section: str) -> bool:
        """Tell whether a section is on the rail."""
        return any(place.section == section for place in self._places)

    def page_of_trace(self, trace: str) -> str | None:
        """Return where a trace is seen: drawn, or at least its log lines."""
        if self.has_place("traces"):
            return f"/traces/{trace.lower()}"
        return f"/logs?trace={trace.lower()}" if self.has_place("logs") else None

    @property
    def clock(self) -> Clock:
        """Return the clock that pages are made by."""
        return self._clock

    def now(self) -> datetime:
        """Return the moment the page is made for."""
        return self._clock.now()

    def show(
        self, request: Request, template: str, *, status: int = 200, **values: object
    ) -> HTMLResponse:
        """Return the filled template as an answer that nothing keeps."""
        now = self._clock.now()
        theme = request.cookies.get(THEME_COOKIE, "auto")
        caller = caller_of(request)
        text = self._templates.get_template(template).render(
            values
            | self._frame
            | {
                "now": now,
                "trouble": self._service.readiness().reasons,
                "ago": lambda moment: wording.ago(now - moment),
                "theme": theme if theme in THEMES else "auto",
                "name": request.cookies.get(NAME_COOKIE, "")[:64],
                "signed_in": caller,
                "csrf": caller.csrf if caller else "",
                "stranger": is_guarded(request) and caller is None,
                "may_respond": may(request, "respond"),
                "may_operate": may(request, "operate"),
                "here": _here(request),
                "search_words": request.query_params.get("q", ""),
            }
        )
        return HTMLResponse(text, status, headers={"Cache-Control": "no-store"})

    def problem(self, request: Request, error: OpsError, status: int) -> HTMLResponse:
        """Return the page that says what went wrong and what to do."""
        return self.show(request, "error.html", status=status, error=error, code=status)


def _here(request: Request) -> str:
    query = urlencode(request.query_params.multi_items())
    return f"{request.url.path}?{query}" if query else request.url.path
