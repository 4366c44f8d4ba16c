"""The pages of silences and maintenance windows: what is kept from people, why, and by whom.

A silence is asked for while something goes on; a window is planned. Both show how many alerts
they hold back at this moment, so that one that hides too much is seen.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from zoneinfo import available_timezones

from fastapi import APIRouter, Request
from fastapi.responses import Response
from msgspec import Struct

from abops.alerts.service import AlertService
from abops.alerts.service.access import Access
from abops.alerts.service.hush import SilenceError, SilenceUnknownError
from abops.entry.web.actor import require_local, who_acts
from abops.entry.web.alerts_api import STATUS as ALERTS_STATUS
from abops.entry.web.caller import may
from abops.entry.web.duty_api import RESPONDERS_LONGEST_S
from abops.entry.web.duty_api import STATUS as DUTY_STATUS
from abops.entry.web.forms import after, read_fields, wants_values
from abops.entry.web.incident_page import DURATIONS, LONGER
from abops.entry.web.pages import Pages, Place
from abops.entry.web.quiet_forms import (
    DAY_NAMES,
    Past,
    begin_of,
    listed,
    past,
    schedule_of,
    span_of,
)
from abops.entry.web.quiet_now import What
from abops.kernel.errors import OpsError

PLACE: Final = Place("silences", "/silences", "Silences", "silences")
AUDITED_AT_MOST: Final = 500
"""Rows of the audit log that are looked through for what is over."""
PAST_AT_MOST: Final = 20
VIA: Final = "console"
TEXT_AT_MOST: Final = 4_000
NAME_AT_MOST: Final = 64
SAID: Final = {
    "silence": "It is kept. What it matches is told to nobody until it ends.",
    "window": "The window is planned.",
    "ended": "It has ended. What still fires is told now.",
}
_STATUS: Final = {**ALERTS_STATUS, **DUTY_STATUS}


class Sent(Struct, frozen=True):
    """A form as it was sent, and by whom."""

    by: str
    fields: Mapping[str, list[str]]
    is_operator: bool

    def text(self, name: str, at_most: int = TEXT_AT_MOST) -> str:
        """Return the first of a field's values without what surrounds it."""
        return self.fields.get(name, [""])[0].strip()[:at_most]


class Refused(Struct, frozen=True):
    """A form that could not be carried out."""

    form: str
    error: OpsError
    sent: Sent


class QuietPages:
    """Shows what is kept from people and takes the forms that change it."""

    def __init__(self, service: AlertService, pages: Pages, access: Access | None) -> None:
        self._service = service
        self._pages = pages
        self._access = access

    async def silences(self, request: Request, refused: Refused | None = None) -> Response:
        """Show the silences."""
        return await self._show(request, "silence", refused)

    async def windows(self, request: Request, refused: Refused | None = None) -> Response:
        """Show the maintenance windows."""
        return await self._show(request, "window", refused)

    async def silence(self, sent: Sent) -> str:
        """Keep a silence."""
        span_s = span_of(sent.text("for")).total_seconds()
        if span_s > RESPONDERS_LONGEST_S and not sent.is_operator:
            raise SilenceError("a responder silences for up to 8 h; ask an operator for more")
        begin = begin_of(sent.text("from"))
        now = self._service.clock.now().timestamp()
        await self._service.silence(
            sent.text("matchers"),
            starts_at=begin,
            ends_at=(now if begin is None else begin) + span_s,
            reason=sent.text("reason"),
            by=sent.by,
            via=VIA,
        )
        return "silence"

    async def window(self, sent: Sent) -> str:
        """Plan a window, once or every week."""
        schedule = begin = end = None
        if sent.text("repeat") == "weekly":
            days = sent.fields.get("day", [])
            schedule = schedule_of(days, sent.text("at"), sent.text("lasts"), sent.text("tz"))
        else:
            begin = begin_of(sent.text("from"))
            span_s = span_of(sent.text("lasts")).total_seconds()
            end = (self._service.clock.now().timestamp() if begin is None else begin) + span_s
        await self._service.window(
            sent.text("name", NAME_AT_MOST) or "maintenance",
            sent.text("matchers"),
            reason=sent.text("reason"),
            by=sent.by,
            schedule=schedule,
            starts_at=begin,
            ends_at=end,
            via=VIA,
        )
        return "window"

    async def end(self, what: What, number: int, by: str) -> None:
        """End one now; raises SilenceUnknownError."""
        end = self._service.unsilence if what == "silence" else self._service.end_window
        await end(number, by=by, via=VIA)

    async def _show(self, request: Request, what: What, refused: Refused | None) -> Response:
        now = self._pages.now()
        silences, windows = await self._service.silences(), await self._service.windows()
        held = await self._service.held_back()
        rows = silences if what == "silence" else windows
        alive = {row.id for row in rows}
        every = listed(what, rows, held, now)
        return self._pages.show(
            request,
            "silences.html" if what == "silence" else "maintenance.html",
            status=_STATUS.get(type(refused.error), 400) if refused else 200,
            opened=[one for one in every if one.is_open],
            planned=[one for one in every if not one.is_open],
            past=(await self._past(what, alive))[:PAST_AT_MOST],
            has_past=self._access is not None,
            durations=DURATIONS | (LONGER if may(request, "operate") else {}),
            days=DAY_NAMES,
            zones=sorted(available_timezones()) if what == "window" else (),
            asked_matchers=request.query_params.get("matchers", "")[:TEXT_AT_MOST],
            refused=refused,
            said=SAID.get(request.query_params.get("done", ""), ""),
        )

    async def _past(self, what: What, alive: set[int]) -> list[Past]:
        if self._access is None:
            return []
        rows = await asyncio.to_thread(self._access.audited, limit=AUDITED_AT_MOST)
        return past(what, rows, alive)


Show = Callable[[Request, Refused | None], Awaitable[Response]]


def quiet_router(service: AlertService, pages: Pages, access: Access | None) -> APIRouter:
    """Return the routes of both pages, and put their place on the rail."""
    router = APIRouter(include_in_schema=False)
    pages.add_place(PLACE)
    shown = QuietPages(service, pages, access)
    _add(router, "/silences", "silence", shown.silences, shown)
    _add(router, "/maintenance", "window", shown.windows, shown)
    return router


def _add(router: APIRouter, path: str, what: What, show: Show, shown: QuietPages) -> None:
    keep = shown.silence if what == "silence" else shown.window

    @router.get(path, name=f"{what}s")
    async def page(request: Request) -> Response:
        return await show(request, None)

    @router.post(path, name=f"keep_{what}")
    async def submit(request: Request) -> Response:
        sent = await _sent(request)
        try:
            done = await keep(sent)
        except OpsError as error:
            if wants_values(request):
                raise
            return await show(request, Refused(sent.text("repeat") or what, error, sent))
        return after(request, f"{path}?done={done}", {"done": done})

    @router.post(f"{path}/{{number}}/end", name=f"end_{what}")
    async def end(request: Request, number: int) -> Response:
        sent = await _sent(request)
        try:
            await shown.end(what, number, sent.by)
        except SilenceUnknownError as error:
            if wants_values(request):
                raise
            return await show(request, Refused("end", error, sent))
        return after(request, f"{path}?done=ended", {"done": "ended"})


async def _sent(request: Request) -> Sent:
    require_local(request)
    fields: dict[str, Any] = await read_fields(request)
    return Sent(who_acts(request), fields, may(request, "operate"))
