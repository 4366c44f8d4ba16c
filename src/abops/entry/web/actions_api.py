"""What people and programs do with incidents besides acknowledging, and what is counted of it."""

from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, Request, Response
from msgspec import Meta, Struct

from abops.alerts.route.explain import levels_in_words, timing_in_words
from abops.alerts.route.tree import decide, fallback_channels
from abops.alerts.service import AlertService
from abops.alerts.store.responses import SeverityCount
from abops.entry.web.alerts_api import (
    Answered,
    Name,
    Tokens,
    acting,
    answer,
    incident_number,
    read_body,
    require_respond,
    said_as,
    whole_number,
)

ACTION_BYTES: Final = 65_536
WEEK_S: Final = 7 * 86_400
_FOREVER: Final = 2**40


class Resolving(Struct, frozen=True):
    """Who resolves."""

    by: Name = "api"


class Assigning(Struct, frozen=True):
    """Whose it is from now on. Empty: nobody's."""

    owner: Name
    by: Name = "api"


class Noting(Struct, frozen=True):
    """A line for the timeline."""

    text: Annotated[str, Meta(min_length=1, max_length=4_000)]
    by: Name = "api"


class CallingNoise(Struct, frozen=True):
    """Whether nobody had to act."""

    noise: bool = True
    by: Name = "api"


class Counted(Struct, frozen=True):
    """Incidents that opened in a time, by severity."""

    since: float
    until: float
    severities: tuple[SeverityCount, ...]


class Explained(Struct, frozen=True):
    """Where an alert with these labels would go, and why."""

    labels: dict[str, str]
    team: str
    channels: tuple[str, ...]
    pages: tuple[str, ...]
    fallback: tuple[str, ...]
    rule: int | None
    """Position of the route that decides, from 0. None: the team's chat is told."""
    why: str
    policy: str
    """How it escalates, if it is critical."""
    levels: tuple[str, ...]
    """The policy's levels in words. Empty: it does not escalate."""
    timing: str
    """What may keep it from being told at once, in words. Empty: nothing."""


def actions_router(service: AlertService) -> APIRouter:
    """Return the routes that change incidents and those that count them."""
    router = APIRouter(route_class=Answered, tags=["incidents"])
    tokens = Tokens(Path(service.config.endpoints.secrets_dir))
    _add_ending(router, service, tokens)
    _add_remarks(router, service, tokens)
    _add_figures(router, service)
    return router


def _add_ending(router: APIRouter, service: AlertService, tokens: Tokens) -> None:
    @router.post("/v1/incidents/{number}/resolve")
    async def resolve(request: Request, number: str) -> Response:
        """Record that it is over, whatever still fires: {"by": "ana"}."""
        require_respond(request, tokens)
        asked = said_as(await read_body(request, ACTION_BYTES), Resolving)
        by = acting(request, asked.by)
        changed = await service.resolve(incident_number(number), by=by, via="api")
        return answer(changed)

    @router.post("/v1/incidents/{number}/assign")
    async def assign(request: Request, number: str) -> Response:
        """Record whose it is: {"owner": "bo", "by": "ana"}."""
        require_respond(request, tokens)
        asked = said_as(await read_body(request, ACTION_BYTES), Assigning)
        by = acting(request, asked.by)
        owner = asked.owner.strip()
        changed = await service.assign(incident_number(number), owner, by=by, via="api")
        return answer(changed)


def _add_remarks(router: APIRouter, service: AlertService, tokens: Tokens) -> None:
    @router.post("/v1/incidents/{number}/note")
    async def note(request: Request, number: str) -> Response:
        """Add a line to its timeline: {"text": "...", "by": "ana"}."""
        require_respond(request, tokens)
        asked = said_as(await read_body(request, ACTION_BYTES), Noting)
        by = acting(request, asked.by)
        changed = await service.note(incident_number(number), asked.text, by=by, via="api")
        return answer(changed)

    @router.post("/v1/incidents/{number}/noise")
    async def noise(request: Request, number: str) -> Response:
        """Record whether nobody had to act: {"noise": true, "by": "ana"}."""
        require_respond(request, tokens)
        asked = said_as(await read_body(request, ACTION_BYTES), CallingNoise)
        by = acting(request, asked.by)
        changed = await service.noise(incident_number(number), by=by, via="api", noise=asked.noise)
        return answer(changed)


def _add_figures(router: APIRouter, service: AlertService) -> None:
    @router.get("/v1/statistics")
    async def statistics(request: Request) -> Response:
        """Count incidents by severity, and how quickly people answered; a week unless told."""
        now = int(service.clock.now().timestamp()) + 1
        until = whole_number(request, "until", now, most=_FOREVER, least=0)
        since = whole_number(request, "since", max(until - WEEK_S, 0), most=_FOREVER, least=0)
        found = await service.statistics(since, until)
        return answer(Counted(since, until, found))

    @router.get("/v1/routes/explain")
    async def explain(request: Request) -> Response:
        """Say where an alert would go: each parameter is a label, ?severity=critical."""
        labels = dict(request.query_params)
        routing = service.config.routing
        decision = decide(routing, labels)
        said = Explained(
            labels=labels,
            team=decision.team,
            channels=decision.channels,
            pages=tuple(sorted(decision.pages)),
            fallback=fallback_channels(routing, decision.team),
            rule=decision.rule,
            why=decision.why,
            policy=decision.policy,
            levels=levels_in_words(routing, decision, labels),
            timing=timing_in_words(routing, decision, labels),
        )
        return answer(said)
