"""The page of who is on call: now and in the next fortnight, the ladder, and whether they can act.

The rota is in `platform.yaml`, so the page changes nothing of it. What it offers is the one thing
that everybody has to do for themselves: linking their account in a chat.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response
from msgspec import Struct

from abops.alerts.model import Actor
from abops.alerts.service import AlertService
from abops.alerts.service.access import Access
from abops.alerts.service.linking import CODE_S, NobodyError
from abops.entry.web.caller import caller_of
from abops.entry.web.oncall_people import NAMES, Accounts, Member, members_of
from abops.entry.web.pages import Pages, Place
from abops.entry.web.people_api import say_code
from abops.entry.web.rota import calendar, hues, ladders, on_duty

PLACE: Final = Place("oncall", "/on-call", "On call", "oncall")


class Chats(Struct, frozen=True):
    """Who counts when a button in a chat is pressed, and how people sign in."""

    anybody_acts: bool = False
    """Whether a button counts whoever presses it."""
    vouched: bool = False
    """Whether a proxy signs people in."""


class OwnCode(Struct, frozen=True):
    """A code that links the account which says it."""

    minutes: int
    say: dict[str, str]


class OnCallPages:
    """Shows who is on call."""

    def __init__(
        self, service: AlertService, pages: Pages, access: Access | None, chats: Chats
    ) -> None:
        self._service = service
        self._pages = pages
        self._access = access
        self._chats = chats

    async def show(self, request: Request, code: OwnCode | None = None) -> Response:
        """Return the page."""
        routing, now = self._service.config.routing, self._pages.now()
        teams = tuple(routing.teams.values())
        duty = on_duty(teams, now)
        accounts = await self._accounts()
        members = members_of(routing, accounts, [one.person for one in duty])
        caller = caller_of(request)
        return self._pages.show(
            request,
            "oncall.html",
            duty=duty,
            ladders=ladders(routing, now),
            rotating=[team for team in teams if team.oncall],
            days=calendar(teams, now, routing.tz),
            hues=hues(teams),
            members=members,
            stuck=stuck(members) if self._access else (),
            vias=NAMES,
            knows_people=self._access is not None,
            anybody_acts=self._chats.anybody_acts,
            own=accounts.chats.get(caller.name, {}) if caller and caller.role else None,
            code=code,
        )

    async def own_code(self, request: Request) -> Response:
        """Show whoever is signed in a code that links their account."""
        caller = caller_of(request)
        if self._access is None or caller is None or not caller.role:
            raise NobodyError("only people have accounts in the chats")
        by = Actor(caller.name, caller.via)
        made = await asyncio.to_thread(self._access.linking.code, by.name, by)
        return await self.show(request, OwnCode(int(CODE_S // 60), say_code(made)))

    async def _accounts(self) -> Accounts:
        if self._access is None:
            return Accounts()
        people = await asyncio.to_thread(self._access.people)
        chats = await asyncio.to_thread(self._access.linking.accounts)
        return Accounts(tuple(people), chats, self._chats.vouched)


def stuck(members: Sequence[Member]) -> tuple[Member, ...]:
    """Return who is on call and may not acknowledge."""
    return tuple(member for member in members if member.on_call and not member.can_act)


def oncall_router(
    service: AlertService, pages: Pages, access: Access | None, chats: Chats
) -> APIRouter:
    """Return the routes of the page, and put its place on the rail."""
    router = APIRouter(include_in_schema=False)
    pages.add_place(PLACE)
    shown = OnCallPages(service, pages, access, chats)

    @router.get("/on-call")
    async def page(request: Request) -> Response:
        return await shown.show(request)

    @router.post("/on-call/code")
    async def code(request: Request) -> Response:
        return await shown.own_code(request)

    return router
