"""What every answer carries, and which requests are turned away before a page sees them.

A console that listens on loopback is still reachable by any page in the same browser: through a
host name that an attacker points at 127.0.0.1, or through a form that another site submits.
Both are refused here, once, for every route. The policy of the answers forbids anything that
did not come from this server, inline code included.
"""

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY: Final = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
UNGUARDED: Final = frozenset({"/healthz", "/readyz"})
"""Probes of an orchestrator name the server by its address; these two tell nothing."""
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Guard:
    """Refuses foreign hosts and cross-site writes; adds the security headers."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str] = ()) -> None:
        self.app = app
        self.hosts = LOOPBACK | frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or pass on one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refused = self._refusal(scope)
        await (refused or self.app)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if scope["path"] not in UNGUARDED and host_name(host) not in self.hosts:
            return PlainTextResponse(
                "This server does not answer to that host name.\n"
                "Use 127.0.0.1, localhost, or the host of alerts.public_url in platform.yaml.\n",
                status_code=421,
            )
        if scope["method"] not in SAFE_METHODS and is_cross_site(headers):
            return PlainTextResponse(
                "Refused: this request was sent by a page of another site.\n", status_code=403
            )
        return None


def host_name(host: str) -> str:
    """Return the name in a Host header, without the port: `[::1]:9600` gives `::1`."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def is_local(request: Request) -> bool:
    """Tell whether a request comes from this machine itself, not through a proxy."""
    peer = request.client.host if request.client else ""
    forwarded = "x-forwarded-for" in request.headers or "forwarded" in request.headers
    return peer in LOOPBACK and not forwarded


def is_cross_site(headers: Headers) -> bool:
    """Tell whether a browser says that another site's page made this request.

    A browser always says one of the two; a program like curl says neither, and carries no
    cookies that could be abused.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in {"same-origin", "none"}
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host")
