"""Linking accounts in the chats to people, for the console and for programs of admins."""

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter, Request, Response
from msgspec import Meta, Struct

from abops.alerts.model import Actor
from abops.alerts.service.access import Access
from abops.alerts.service.linking import CODE_S, AccountError, NobodyError
from abops.entry.web.alerts_api import Answered, UnauthorizedError, answer, read_body, said_as
from abops.entry.web.caller import caller_of
from abops.kernel.errors import OpsError

BODY_BYTES: Final = 4_096
STATUS: Final[dict[type[OpsError], int]] = {AccountError: 400, NobodyError: 404}


class Linked(Struct, frozen=True):
    """An account of a provider: `slack`, `telegram` or `pagerduty`."""

    via: Annotated[str, Meta(max_length=16)]
    account: Annotated[str, Meta(min_length=1, max_length=64)]


class Code(Struct, frozen=True):
    """What to say to the bot, and for how many seconds it counts."""

    code: str
    seconds: float
    say: dict[str, str]
    """By provider: the words."""


class Done(Struct, frozen=True):
    """It counts from now on."""

    linked: bool = True


class Unlinked(Struct, frozen=True):
    """It counts no more."""

    unlinked: bool = True


def people_router(access: Access) -> APIRouter:
    """Return the routes of accounts."""
    router = APIRouter(route_class=Answered, tags=["people"])
    _add_own(router, access)
    _add_others(router, access)
    return router


def _add_own(router: APIRouter, access: Access) -> None:
    @router.post("/v1/me/link-code")
    async def code(request: Request) -> Response:
        """Give whoever is signed in a code that links the account which says it."""
        by = _own(request)
        made = await asyncio.to_thread(access.linking.code, by.name, by)
        return answer(Code(made, CODE_S, say_code(made)), 201)

    @router.get("/v1/me/accounts")
    async def accounts(request: Request) -> Response:
        """Return the accounts of whoever is signed in, by provider."""
        known = await asyncio.to_thread(access.linking.accounts)
        return answer(known.get(_own(request).name, {}))

    @router.delete("/v1/me/accounts/{via}")
    async def unlink(request: Request, via: str) -> Response:
        """Let an account of whoever is signed in count no more."""
        by = _own(request)
        await asyncio.to_thread(access.linking.unlink, by.name, via, by)
        return answer(Unlinked())


def _add_others(router: APIRouter, access: Access) -> None:
    @router.get("/v1/users/accounts")
    async def everybody() -> Response:
        """Return by name of whom which accounts are known."""
        return answer(await asyncio.to_thread(access.linking.accounts))

    @router.put("/v1/users/{name}/accounts")
    async def link(request: Request, name: str) -> Response:
        """Link an account: {"via": "telegram", "account": "123456789"}."""
        asked = said_as(await read_body(request, BODY_BYTES), Linked)
        by = _person(request)
        await asyncio.to_thread(access.linking.link, name, asked.via, asked.account, by)
        return answer(Done())

    @router.delete("/v1/users/{name}/accounts/{via}")
    async def unlink(request: Request, name: str, via: str) -> Response:
        """Let an account of somebody count no more."""
        await asyncio.to_thread(access.linking.unlink, name, via, _person(request))
        return answer(Unlinked())


def say_code(code: str) -> dict[str, str]:
    """Return by provider the words that link the account which says them."""
    return {"telegram": f"/link {code}", "slack": f"/abops link {code}"}


def _person(request: Request) -> Actor:
    caller = caller_of(request)
    if caller is None:
        raise UnauthorizedError
    return Actor(caller.name, caller.via)


def _own(request: Request) -> Actor:
    """Return who asks, a person: a program whose token bears somebody's name is not them."""
    caller = caller_of(request)
    if caller is None or not caller.role:
        raise UnauthorizedError(
            "only people have accounts in the chats", hint="Sign in at /login and ask again."
        )
    return Actor(caller.name, caller.via)
