"""Login. Every refusal is counted by its reason, never by whom it met."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException
from pydantic import BaseModel, Field
from sqlalchemy import select

from abops_instrument.series import counter
from apps.api.resources import Held
from apps.api.tokens import LASTS_S, TokenError
from apps.passwords import hash_password, is_password
from apps.storage.tables import credentials, users

router = APIRouter(tags=["auth"])
ATTEMPTS_A_MINUTE = 30
REASONS = ("bad_credentials", "rate_limited", "missing_token", "bad_token", "expired_token")

_failures = counter("auth_failures_total", "Logins and tokens refused.", ("reason",))
for _reason in REASONS:
    _failures.labels(_reason)
# Checked when the login is unknown, so that the answer takes as long as for a known one.
_NOBODY = hash_password("")


class Login(BaseModel):
    """Who, and the proof."""

    login: str = Field(min_length=1, max_length=64)
    password: str = Field(min_length=1, max_length=200)


class Token(BaseModel):
    """What to send in `Authorization: Bearer`."""

    token: str
    expires_in: int


class Me(BaseModel):
    """The user behind the token."""

    id: int
    plan_id: int


@router.post("/auth/login")
async def login(attempt: Login, resources: Held) -> Token:
    """Return a token for a login and its password."""
    if await resources.cache.count(f"login:{attempt.login}", 60) > ATTEMPTS_A_MINUTE:
        raise _refusal("rate_limited", 429)
    async with resources.engine.connect() as database:
        row = (
            await database.execute(
                select(credentials.c.user_id, credentials.c.password_hash).where(
                    credentials.c.login == attempt.login
                )
            )
        ).one_or_none()
    stored = _NOBODY if row is None else row.password_hash
    # Milliseconds of hashing belong off the event loop.
    if not await asyncio.to_thread(is_password, attempt.password, stored) or row is None:
        raise _refusal("bad_credentials", 401)
    return Token(token=resources.tokens.issue(row.user_id), expires_in=LASTS_S)


@router.get("/me")
async def me(resources: Held, authorization: Annotated[str, Header()] = "") -> Me:
    """Return the user whose token it is."""
    kind, _, token = authorization.partition(" ")
    if kind.lower() != "bearer" or not token:
        raise _refusal("missing_token", 401)
    try:
        user_id = resources.tokens.read(token.strip())
    except TokenError as error:
        raise _refusal(error.reason, 401) from error
    async with resources.engine.connect() as database:
        row = (
            await database.execute(select(users.c.id, users.c.plan_id).where(users.c.id == user_id))
        ).one_or_none()
    if row is None:
        raise _refusal("bad_token", 401)
    return Me(id=row.id, plan_id=row.plan_id)


def _refusal(reason: str, status: int) -> HTTPException:
    _failures.labels(reason).inc()
    return HTTPException(status, reason)
