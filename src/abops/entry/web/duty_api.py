"""Silences, maintenance windows and who was paged, for programs and the command line."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Request, Response
from msgspec import Meta, Struct

from abops.alerts.route.matcher import MatcherSyntaxError
from abops.alerts.route.oncall import next_handover, on_call
from abops.alerts.route.window import Schedule, ScheduleError
from abops.alerts.service import AlertService
from abops.alerts.service.comparing import NothingToCompareError
from abops.alerts.service.hush import SilenceError, SilenceUnknownError
from abops.alerts.store.duty import SilenceRow
from abops.entry.web.alerts_api import (
    Answered,
    Name,
    ParameterError,
    Tokens,
    acting,
    answer,
    incident_number,
    read_body,
    require_respond,
    said_as,
)
from abops.entry.web.caller import may
from abops.kernel.clock import moment
from abops.kernel.errors import OpsError

BODY_BYTES: Final = 65_536
RESPONDERS_LONGEST_S: Final = 8 * 3_600
STATUS: Final[dict[type[OpsError], int]] = {
    MatcherSyntaxError: 400,
    ScheduleError: 400,
    SilenceError: 400,
    SilenceUnknownError: 404,
    NothingToCompareError: 409,
}
Words = Annotated[str, Meta(min_length=1, max_length=4_000)]


Moment = Annotated[datetime, Meta(tz=True)]
"""With its zone: a local time is another moment on another machine."""


class Silencing(Struct, frozen=True):
    """Which alerts are silenced, until when, and why."""

    matchers: Words
    reason: Words
    ends_at: Moment
    starts_at: Moment | None = None
    by: Name = "api"


class Planning(Struct, frozen=True):
    """A window: once from `starts_at` to `ends_at`, or every week by `schedule`."""

    name: Name
    matchers: Words
    reason: Words
    schedule: Schedule | None = None
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    by: Name = "api"
    key: Annotated[str, Meta(max_length=128)] = ""
    """Names it for whoever plans it, a deploy for instance: asked for twice, it is planned once."""


class Made(Struct, frozen=True):
    """The number of what was made."""

    id: int


class Ended(Struct, frozen=True):
    """It is over."""

    ended: bool = True


class ShownSilence(Struct, frozen=True):
    """A silence or a window as it is told."""

    id: int
    matchers: str
    reason: str
    starts_at: datetime | None
    ends_at: datetime | None
    created_at: datetime | None
    created_by: str
    name: str
    schedule: Schedule | None
    key: str


class OnDuty(Struct, frozen=True):
    """Who of a team is on call."""

    team: str
    person: str
    until: datetime


class ChannelState(Struct, frozen=True):
    """How a channel stands: what waits, what it took within a day, what was given up."""

    channel: str
    type: str
    waiting: int
    held: int
    oldest_at: datetime | None
    told: int
    told_at: datetime | None
    dead: int
    error: str


def duty_router(service: AlertService) -> APIRouter:
    """Return the routes of silences, windows and duty."""
    router = APIRouter(route_class=Answered, tags=["duty"])
    tokens = Tokens(Path(service.config.endpoints.secrets_dir))
    _add_silences(router, service, tokens)
    _add_windows(router, service, tokens)
    _add_duty(router, service, tokens)
    return router


def _add_silences(router: APIRouter, service: AlertService, tokens: Tokens) -> None:
    @router.get("/v1/silences")
    async def silences() -> Response:
        """Return the silences that have not ended."""
        return answer([_shown(row) for row in await service.silences()])

    @router.post("/v1/silences")
    async def silence(request: Request) -> Response:
        """Tell nobody of matching alerts: {"matchers", "reason", "ends_at", "by"}."""
        require_respond(request, tokens)
        asked = said_as(await read_body(request, BODY_BYTES), Silencing)
        start, end = _seconds(asked.starts_at), asked.ends_at.timestamp()
        begins = service.clock.now().timestamp() if start is None else start
        if end - begins > RESPONDERS_LONGEST_S and not may(request, "operate"):
            raise SilenceError("a responder silences for up to 8 h; ask an operator for more")
        number = await service.silence(
            asked.matchers,
            starts_at=start,
            ends_at=end,
            reason=asked.reason,
            by=acting(request, asked.by),
        )
        return answer(Made(number), 201)

    @router.delete("/v1/silences/{number}")
    async def unsilence(request: Request, number: str) -> Response:
        """End a silence now; what still fires is told."""
        require_respond(request, tokens)
        by = acting(request, request.query_params.get("by", "api")[:64])
        await service.unsilence(_number(number), by=by)
        return answer(Ended())


def _add_windows(router: APIRouter, service: AlertService, tokens: Tokens) -> None:
    @router.get("/v1/windows")
    async def windows() -> Response:
        """Return the maintenance windows that are open or may yet open."""
        return answer([_shown(row) for row in await service.windows()])

    @router.post("/v1/windows")
    async def window(request: Request) -> Response:
        """Plan a window: {"name", "matchers", "reason", "ends_at" or "schedule", "by"}."""
        require_respond(request, tokens)
        asked = said_as(await read_body(request, BODY_BYTES), Planning)
        if (asked.schedule is None) == (asked.ends_at is None):
            raise SilenceError("a window has either an end or a schedule")
        number = await service.window(
            asked.name,
            asked.matchers,
            reason=asked.reason,
            by=acting(request, asked.by),
            schedule=asked.schedule,
            starts_at=_seconds(asked.starts_at),
            ends_at=_seconds(asked.ends_at),
            key=asked.key,
        )
        return answer(Made(number), 201)

    @router.delete("/v1/windows/{number}")
    async def end_window(request: Request, number: str) -> Response:
        """End a window and its repetitions now; what still fires is told."""
        require_respond(request, tokens)
        by = acting(request, request.query_params.get("by", "api")[:64])
        await service.end_window(_number(number), by=by)
        return answer(Ended())


def _add_duty(router: APIRouter, service: AlertService, tokens: Tokens) -> None:
    @router.get("/v1/oncall")
    async def oncall() -> Response:
        """Say who of each team is on call, and until when."""
        now = service.clock.now()
        rotas = {n: t.oncall for n, t in service.config.routing.teams.items() if t.oncall}
        return answer(
            [
                OnDuty(name, on_call(rota, now), next_handover(rota, now))
                for name, rota in rotas.items()
            ]
        )

    @router.get("/v1/channels")
    async def channels() -> Response:
        """Say how each channel stands: what waits, what it took last, what was given up."""
        kinds = service.config.routing.channels
        return answer(
            [
                ChannelState(
                    channel=row.channel,
                    type=kinds[row.channel].type,
                    waiting=row.waiting,
                    held=row.held,
                    oldest_at=_moment(row.oldest_at),
                    told=row.told,
                    told_at=_moment(row.told_at),
                    dead=row.dead,
                    error=row.error,
                )
                for row in await service.channels()
            ]
        )

    @router.post("/v1/reconcile")
    async def reconcile(request: Request) -> Response:
        """Compare notes with Alertmanager now instead of within a minute."""
        require_respond(request, tokens)
        return answer(await service.reconcile())

    @router.get("/v1/incidents/{number}/pages")
    async def pages(number: str) -> Response:
        """Return who was paged for an incident, at which level, and why."""
        return answer(await service.pages(incident_number(number)))


def _shown(row: SilenceRow) -> ShownSilence:
    return ShownSilence(
        id=row.id,
        matchers=row.matchers,
        reason=row.reason,
        starts_at=_moment(row.starts_at),
        ends_at=_moment(row.ends_at),
        created_at=_moment(row.created_at),
        created_by=row.created_by,
        name=row.name,
        schedule=msgspec.json.decode(row.schedule, type=Schedule) if row.schedule else None,
        key=row.key,
    )


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else moment(seconds)


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 15:  # noqa: PLR2004 - SQLite's
        raise ParameterError(f"{text[:40]} is no number of a silence or window")
    return int(text)
