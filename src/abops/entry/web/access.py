"""The pages around signing in: login, invitation links, people and tokens, the audit log.

All of them work without JavaScript. The two that strangers see say nothing of the platform, not
even whether a name exists.
"""

import asyncio
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from abops.alerts.access.person import SESSION_S
from abops.alerts.access.proxy import Network, is_trusted
from abops.alerts.access.roles import MEANING, SCOPES
from abops.alerts.access.secret import SHORTEST, PasswordError
from abops.alerts.model import Actor
from abops.alerts.service.access import (
    Access,
    InvitationError,
    LockedError,
    Signed,
    SignInError,
    link,
)
from abops.entry.web.caller import caller_of
from abops.entry.web.forms import local_path, read_form
from abops.entry.web.gate import COOKIE
from abops.entry.web.pages import Pages
from abops.kernel.errors import OpsError, UsageError

AUDIT_ROWS: Final = 100
HASHES_AT_ONCE: Final = 2
"""Each takes 32 MiB and a tenth of a second of a core: guessers must not take the machine."""


class AccessPages:
    """What signing in looks like."""

    def __init__(
        self, access: Access, pages: Pages, *, url: str, proxies: tuple[Network, ...] = ()
    ) -> None:
        self._access = access
        self._pages = pages
        self._url = url
        self._proxies = proxies
        self._hashing = asyncio.Semaphore(HASHES_AT_ONCE)

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(include_in_schema=False)
        router.get("/login")(self.login)
        router.post("/login")(self.sign_in)
        router.post("/logout")(self.sign_out)
        router.get("/invitation/{secret}")(self.invitation)
        router.post("/invitation/{secret}")(self.accept)
        router.get("/users")(self.users)
        router.post("/users/invite")(self.invite)
        router.post("/users/change")(self.change)
        router.post("/tokens/create")(self.create_token)
        router.post("/tokens/revoke")(self.revoke_token)
        router.get("/audit")(self.audit)
        return router

    async def login(self, request: Request) -> Response:
        """Ask for name and password."""
        target = local_path(request.query_params.get("next", ""))
        if caller_of(request):
            return RedirectResponse(target, 303)
        return self._pages.show(request, "login.html", next=target, login="", error=None)

    async def sign_in(self, request: Request) -> Response:
        """Begin a session."""
        form = await read_form(request)
        name, target = form.get("name", "").strip()[:64], local_path(form.get("next", ""))
        try:
            async with self._hashing:
                signed = await asyncio.to_thread(
                    self._access.sign_in, name, form.get("password", "")
                )
        except SignInError as error:
            status = 429 if isinstance(error, LockedError) else 401
            return self._pages.show(
                request, "login.html", status=status, next=target, login=name, error=error
            )
        return self._enter(request, signed, target)

    async def sign_out(self, request: Request) -> Response:
        """End the session."""
        await asyncio.to_thread(self._access.sign_out, request.cookies.get(COOKIE, ""))
        response = RedirectResponse("/login", 303)
        response.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return response

    async def invitation(self, request: Request, secret: str) -> Response:
        """Ask for the password that an invited person chooses."""
        return await self._invitation(request, secret, None)

    async def accept(self, request: Request, secret: str) -> Response:
        """Take the password and begin a session."""
        form = await read_form(request)
        password = form.get("password", "")
        try:
            _check_same(password, form.get("again", ""))
            async with self._hashing:
                signed = await asyncio.to_thread(self._access.accept, secret, password)
        except (PasswordError, InvitationError) as error:
            return await self._invitation(request, secret, error)
        return self._enter(request, signed, "/incidents")

    async def _invitation(self, request: Request, secret: str, error: OpsError | None) -> Response:
        try:
            name, role = await asyncio.to_thread(self._access.invitation, secret)
        except InvitationError as broken:
            return self._pages.show(
                request, "invitation.html", status=404, who="", role="", means="", error=broken
            )
        return self._pages.show(
            request,
            "invitation.html",
            status=400 if error else 200,
            who=name,
            role=role,
            means=MEANING.get(role, ""),  # type: ignore[call-overload]
            shortest=SHORTEST,
            error=error,
        )

    async def users(self, request: Request) -> Response:
        """Show who may sign in and which tokens there are."""
        return await self._users(request)

    async def invite(self, request: Request) -> Response:
        """Make a link and show it, this once."""
        form = await read_form(request)
        try:
            name, role = form.get("name", "").strip(), form.get("role") or None
            secret = await asyncio.to_thread(self._access.invite, name, role, _actor(request))
        except UsageError as error:
            return await self._users(request, error=error)
        return await self._users(
            request, made=("link", f"for {name}; it opens once, for a day", link(self._url, secret))
        )

    async def change(self, request: Request) -> Response:
        """Change a role, or let somebody in or out."""
        form = await read_form(request)
        name, by, wish = form.get("name", ""), _actor(request), form.get("wish", "")
        try:
            if wish == "disable":
                await asyncio.to_thread(self._access.disable, name, by)
            elif wish == "enable":
                await asyncio.to_thread(self._access.enable, name, by)
            else:
                await asyncio.to_thread(self._access.change_role, name, form.get("role", ""), by)
        except UsageError as error:
            return await self._users(request, error=error)
        return RedirectResponse("/users", 303)

    async def create_token(self, request: Request) -> Response:
        """Make a token and show it, this once."""
        form = await read_form(request)
        name, scope, by = form.get("name", "").strip(), form.get("scope", ""), _actor(request)
        try:
            secret = await asyncio.to_thread(self._access.add_token, name, scope, by)
        except UsageError as error:
            return await self._users(request, error=error)
        return await self._users(request, made=("token", f"{name}, for {scope}", secret))

    async def revoke_token(self, request: Request) -> Response:
        """End a token."""
        form = await read_form(request)
        try:
            await asyncio.to_thread(self._access.revoke, form.get("name", ""), _actor(request))
        except UsageError as error:
            return await self._users(request, error=error)
        return RedirectResponse("/users", 303)

    async def _users(
        self,
        request: Request,
        *,
        error: OpsError | None = None,
        made: tuple[str, str, str] | None = None,
    ) -> Response:
        return self._pages.show(
            request,
            "users.html",
            status=400 if error else 200,
            people=await asyncio.to_thread(self._access.people),
            tokens=await asyncio.to_thread(self._access.tokens),
            roles=MEANING,
            scopes=list(SCOPES),
            error=error,
            made=made,
        )

    async def audit(self, request: Request) -> Response:
        """Show who did what."""
        text = request.query_params.get("before", "")
        before = int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None  # noqa: PLR2004 - SQLite's
        found = await asyncio.to_thread(self._access.audited, limit=AUDIT_ROWS, before=before)
        older = found[-1]["id"] if len(found) == AUDIT_ROWS else None
        return self._pages.show(request, "audit.html", entries=found, older=older)

    def _enter(self, request: Request, signed: Signed, target: str) -> Response:
        response = RedirectResponse(target, 303, {"Cache-Control": "no-store"})
        response.set_cookie(
            COOKIE,
            signed.secret,
            max_age=int(SESSION_S),
            httponly=True,
            samesite="strict",
            secure=self._is_encrypted(request),
        )
        return response

    def _is_encrypted(self, request: Request) -> bool:
        peer = request.client.host if request.client else ""
        said = request.headers.get("x-forwarded-proto", "")
        by_proxy = said == "https" and is_trusted(peer, self._proxies)
        return request.url.scheme == "https" or by_proxy


def _check_same(password: str, again: str) -> None:
    if password != again:
        raise PasswordError("the two passwords differ", hint="Type the same one twice.")


def _actor(request: Request) -> Actor:
    caller = caller_of(request)
    return Actor(caller.name, caller.via) if caller else Actor("nobody", "console")
