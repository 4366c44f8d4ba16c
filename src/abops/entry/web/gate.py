"""The gate: finds out who makes a request and turns away who may not.

It stands before every route, so that a route which nobody thought of is closed too. People show
a session's cookie, programs a bearer token; a proxy may vouch for people when its address is on
the list. What a browser sends along on its own, the cookie, is not enough to change something:
the form has to carry the session's CSRF token.
"""

import asyncio
import hmac
import secrets
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from abops.alerts.access import person as people
from abops.alerts.access.person import Caller
from abops.alerts.access.proxy import Network, is_trusted
from abops.alerts.access.roles import SCOPES, role_for
from abops.alerts.access.secret import same
from abops.alerts.service.access import Access
from abops.alerts.store.database import StoreUnavailableError
from abops.entry.web.alerts_api import Tokens
from abops.entry.web.caller import set_caller
from abops.entry.web.demands import SAFE, demand_of, is_open
from abops.entry.web.forms import FORM_AT_MOST, fields_of, wants_values
from abops.kernel.errors import OpsError

COOKIE: Final = "abops_session"
CSRF_FIELD: Final = "csrf"
CSRF_HEADER: Final = "x-csrf-token"
USER_HEADER: Final = "x-forwarded-user"
API: Final = ("/v1/", "/api/")
_FORM: Final = "application/x-www-form-urlencoded"
Refuse = Callable[[Request, OpsError, int], Response]


class AnonymousError(OpsError):
    """Nobody is signed in, and the request carries no valid token."""

    hint = (
        "Send `Authorization: Bearer TOKEN` with a token from the secrets folder or"
        " `abops alerts token create`, or sign in at /login."
    )


class MayNotError(OpsError):
    """You may not do this."""

    hint = "An admin can change your role: `abops alerts user role NAME ROLE`."


class ForgedError(OpsError):
    """This form does not come from a page of this session."""

    hint = "Go back, reload the page, and try again."


class Gate:
    """Asks everybody who they are."""

    def __init__(
        self,
        app: ASGIApp,
        access: Access,
        tokens: Tokens,
        refuse: Refuse,
        proxies: Sequence[Network] = (),
    ) -> None:
        self.app = app
        self._access = access
        self._tokens = tokens
        self._refuse = refuse
        self._proxies = proxies
        self._key = secrets.token_bytes(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request with its caller, or answer it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        set_caller(scope, None)
        request = Request(scope, receive)
        try:
            caller = await self._identify(request)
        except StoreUnavailableError as error:
            if not is_open(scope["path"]):
                await self._refuse(request, error, 503)(scope, receive, send)
                return
            caller = None
        set_caller(scope, caller)
        answer, receive = await self._check(request, caller)
        await (answer or self.app)(scope, receive, send)

    async def _check(
        self, request: Request, caller: Caller | None
    ) -> tuple[Response | None, Receive]:
        """Return what refuses the request, if anything, and its body for whoever comes next."""
        path, method = request.url.path, request.method
        if is_open(path):
            return None, request.receive
        if caller is None:
            return self._stranger(request), request.receive
        demand = demand_of(method, path)
        if not caller.may(demand):
            least = role_for(demand)
            who = f"{caller.name} is {caller.role}" if caller.role else f"the token {caller.name}"
            error = MayNotError(f"this needs the role {least}; {who}")
            return self._refuse(request, error, 403), request.receive
        if method in SAFE or not caller.csrf:
            return None, request.receive
        return await self._check_form(request, caller)

    async def _check_form(
        self, request: Request, caller: Caller
    ) -> tuple[Response | None, Receive]:
        receive = request.receive
        given = request.headers.get(CSRF_HEADER, "")
        if not given and request.headers.get("content-type", "").startswith(_FORM):
            body = b""
            async for chunk in request.stream():
                body += chunk
                if len(body) > FORM_AT_MOST:
                    break  # more than any form; what it would say is not asked
            given = fields_of(body).get(CSRF_FIELD, "")
            receive = _again(body, receive)
        if same(given, caller.csrf):
            return None, receive
        return self._refuse(request, ForgedError(), 403), receive

    def _stranger(self, request: Request) -> Response:
        if request.url.path.startswith(API) or wants_values(request):
            error = AnonymousError()
            said = {"error": str(error), "hint": error.hint}
            return JSONResponse(said, 401, {"WWW-Authenticate": "Bearer"})
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        target = "/login" if here == "/" else f"/login?next={quote(here, safe='/')}"
        return RedirectResponse(target, 303, {"Cache-Control": "no-store"})

    async def _identify(self, request: Request) -> Caller | None:
        if "authorization" in request.headers:
            return await self._program(request)
        if named := self._vouched(request):
            person = await asyncio.to_thread(self._access.named, named)
            csrf = hmac.digest(self._key, named.encode(), "sha256").hex()
            return people.caller_of(person, via="proxy", csrf=csrf) if person else None
        secret = request.cookies.get(COOKIE, "")
        return await asyncio.to_thread(self._access.session, secret) if secret else None

    async def _program(self, request: Request) -> Caller | None:
        for name, abilities in SCOPES.items():
            if self._tokens.carried(request, name):
                return Caller(name, abilities, "api")
        scheme, _, given = request.headers["authorization"].partition(" ")
        if scheme.lower() != "bearer" or not given.strip():
            return None
        return await asyncio.to_thread(self._access.token, given.strip())

    def _vouched(self, request: Request) -> str:
        peer = request.client.host if request.client else ""
        named = request.headers.get(USER_HEADER, "").strip()
        return named if named and is_trusted(peer, self._proxies) else ""


def _again(body: bytes, rest: Receive) -> Receive:
    """Give a body that was read once more, then whatever else comes."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return first.pop() if first else await rest()

    return receive
