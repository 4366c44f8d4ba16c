"""The page of the routes: where an alert would go, how the receivers stand, what is held back.

What it explains is asked in its address, so an answer is a link that can be sent.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response
from msgspec import Struct

from abops.alerts.model import SEVERITIES, Channel, Routing
from abops.alerts.route.matcher import MatcherSyntaxError, parse_labels
from abops.alerts.route.quiet import hours, next_full_hour, quiet_until
from abops.alerts.route.silence import Quiet
from abops.alerts.route.tree import check
from abops.alerts.service import AlertService
from abops.alerts.store.standing import ChannelRow
from abops.entry.web.explained import Explained, explain
from abops.entry.web.oncall_people import NAMES
from abops.entry.web.pages import Pages
from abops.entry.web.quiet_forms import DAY_NAMES, Listed, listed
from abops.entry.web.quiet_now import open_now
from abops.entry.web.rota import ladders
from abops.kernel.clock import moment

LABELS_AT_MOST: Final = 1_000
ALL_DAYS: Final = 7
Standing = Literal["takes", "trying", "stuck", "gave up", "untold"]


class Receiver(Struct, frozen=True):
    """A channel, and how it stands."""

    channel: Channel
    kind: str
    row: ChannelRow
    standing: Standing
    told_at: datetime | None
    oldest_at: datetime | None
    teams: tuple[str, ...]


class Asked(Struct, frozen=True):
    """What the form asks about."""

    severity: str = ""
    service: str = ""
    text: str = ""

    @property
    def given(self) -> bool:
        """Whether anything is asked."""
        return bool(self.severity or self.service or self.text)

    def labels(self) -> dict[str, str]:
        """Return the labels, typed ones before chosen ones; raises MatcherSyntaxError."""
        chosen = {"severity": self.severity, "service": self.service}
        typed = parse_labels(self.text) if self.text else {}
        return {name: value for name, value in (chosen | typed).items() if value}


class Rest(Struct, frozen=True):
    """A team's quiet hours."""

    team: str
    words: str
    until: datetime | None
    """When they are over. None: it is not quiet now."""
    tz: str


def routing_router(service: AlertService, pages: Pages) -> APIRouter:
    """Return the route of the page; it is reached from that of who is on call."""
    router = APIRouter(include_in_schema=False)

    @router.get("/routing")
    async def page(request: Request) -> Response:
        routing, now = service.config.routing, pages.now()
        silences, windows = await service.silences(), await service.windows()
        held = await service.held_back()
        asked = read_asked(request.query_params)
        answer, error = _answer(routing, asked, open_now(silences, windows, now), now)
        patience = timedelta(seconds=service.config.settings.page_fallback_after_s)
        receivers = receivers_of(routing, await service.channels(), now, patience)
        return pages.show(
            request,
            "routing.html",
            status=400 if error else 200,
            asked=asked,
            answer=answer,
            error=error,
            severities=SEVERITIES,
            services=sorted(routing.owners),
            routes=routing.routes,
            tests=check(routing),
            receivers=receivers,
            vias=NAMES,
            quiet=[
                *_open(listed("silence", silences, held, now)),
                *_open(listed("window", windows, held, now)),
            ],
            rests=rests(routing, now),
            digests=any(route.digest != "never" for route in routing.routes),
            digest_at=next_full_hour(now),
            waiting=sum(receiver.row.held for receiver in receivers),
            summaries=routing.summaries,
            tz=routing.tz,
            ladders=ladders(routing, now),
            grouping=routing.grouping,
            policies=routing.policies,
        )

    return router


def read_asked(params: Mapping[str, str]) -> Asked:
    """Read the address."""
    return Asked(
        params.get("severity", "")[:64],
        params.get("service", "")[:253],
        params.get("labels", "").strip()[:LABELS_AT_MOST],
    )


def _answer(
    routing: Routing, asked: Asked, active: Sequence[Quiet], now: datetime
) -> tuple[Explained | None, MatcherSyntaxError | None]:
    if not asked.given or not routing.teams:
        return None, None
    try:
        labels = asked.labels()
    except MatcherSyntaxError as error:
        return None, error
    return explain(routing, labels, active, now), None


def receivers_of(
    routing: Routing, rows: Sequence[ChannelRow], now: datetime, patience: timedelta
) -> tuple[Receiver, ...]:
    """Return the channels, those that do not take what they are told first."""
    found = [_receiver(routing, row, now, patience) for row in rows]
    return tuple(sorted(found, key=lambda one: one.standing not in ("stuck", "gave up")))


def _receiver(routing: Routing, row: ChannelRow, now: datetime, patience: timedelta) -> Receiver:
    channel = routing.channels[row.channel]
    oldest = None if row.oldest_at is None else moment(row.oldest_at)
    standing: Standing = "takes" if row.told_at is not None else "untold"
    if row.waiting and row.error:
        standing = "trying"
    if row.dead:
        standing = "gave up"
    if oldest is not None and now - oldest > patience:
        standing = "stuck"
    return Receiver(
        channel,
        NAMES[channel.type],
        row,
        standing,
        None if row.told_at is None else moment(row.told_at),
        oldest,
        tuple(
            team.name
            for team in routing.teams.values()
            if row.channel in (team.page, team.chat, *team.fallback)
        ),
    )


def rests(routing: Routing, now: datetime) -> tuple[Rest, ...]:
    """Return the quiet hours of the teams that have any."""
    found = []
    for team in routing.teams.values():
        if team.quiet is None:
            continue
        names = list(DAY_NAMES.values())
        days = ", ".join(names[day] for day in team.quiet.days)
        when = "every night" if len(team.quiet.days) == ALL_DAYS else f"from {days}"
        words = f"{hours(team.quiet)} {when}"
        found.append(Rest(team.name, words, quiet_until(team, now), team.tz))
    return tuple(found)


def _open(every: Sequence[Listed]) -> list[Listed]:
    return [one for one in every if one.is_open]
