"""The alert service's API for machines: taking alerts, telling about incidents, being watched.

Alerts are read from the raw request, without models in between: this is the hot path. Whoever
sends alerts shows a token. Whoever acts on incidents shows one too, or sits on this machine.
Every refusal says what is wrong and what to do, and under load the answer is 503, never 4xx: a
source gives up on a 4xx.
"""

import asyncio
import hmac
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute

from abops.alerts.access.roles import Ability
from abops.alerts.ingest.webhook import MAX_BODY_BYTES, MalformedBodyError
from abops.alerts.model import ServiceEvent
from abops.alerts.service import AlertService
from abops.alerts.service.memory import IncidentResolvedError, IncidentUnknownError
from abops.alerts.service.regroup import RegroupError
from abops.alerts.service.vault import OverloadedError
from abops.alerts.store.database import StoreUnavailableError
from abops.entry.web.caller import caller_of, is_guarded, may
from abops.kernel.errors import OpsError

JSON: Final = "application/json"
METRICS: Final = "text/plain; version=0.0.4; charset=utf-8"
KEEP_ALIVE_S: Final = 15.0
RETRY_AFTER_S: Final = 2
LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})
STATES: Final = ("open", "acked", "resolved")
MOST: Final = 1_000
_encode = msgspec.json.Encoder(order="deterministic").encode


class UnauthorizedError(OpsError):
    """The request carries no valid token."""

    hint = "Send the header `Authorization: Bearer TOKEN` with the token from the secrets folder."


Name = Annotated[str, msgspec.Meta(max_length=64)]
"""Who acts, as they call themselves."""


class Merging(msgspec.Struct, frozen=True):
    """What a merge is asked with."""

    into: Annotated[int, msgspec.Meta(ge=1, lt=2**53)]
    by: Name = "api"


class Splitting(msgspec.Struct, frozen=True):
    """What a split is asked with."""

    alerts: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=10_000)]
    by: Name = "api"


class BodyTooLargeError(OpsError):
    """The body is larger than 32 MiB."""

    hint = "Send fewer alerts at a time: `max_alerts` in Alertmanager's webhook_configs."


class ParameterError(OpsError):
    """A parameter of the request cannot be used."""

    hint = "state is open, acked or resolved; limit and alerts are whole numbers from 1 to 1000."


STATUS: Final[dict[type[OpsError], int]] = {
    MalformedBodyError: 400,
    ParameterError: 400,
    UnauthorizedError: 401,
    IncidentUnknownError: 404,
    IncidentResolvedError: 409,
    RegroupError: 409,
    BodyTooLargeError: 413,
    OverloadedError: 503,
    StoreUnavailableError: 503,
}
_UNAVAILABLE: Final = 503
_UNAUTHORIZED: Final = 401


class Answered(APIRoute):
    """Turns what a route refuses into its document."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the route's handler, whose errors are answers."""
        handler = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                return await handler(request)
            except tuple(STATUS) as error:
                return refusal(error)

        return answered


def answer(value: object, status: int = 200) -> Response:
    """Answer with a value as JSON."""
    return Response(_encode(value), status, media_type=JSON)


def refusal(error: OpsError) -> Response:
    """Say what is wrong and what to do."""
    status = next(code for kind, code in STATUS.items() if isinstance(error, kind))
    said: dict[str, object] = {"error": str(error), "hint": error.hint}
    if isinstance(error, MalformedBodyError):
        said["position"] = error.position
    headers = {}
    if status == _UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_AFTER_S)
    if status == _UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(_encode(said), status, headers, JSON)


class Tokens:
    """The secrets folder's tokens; a file that changes counts at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, tuple[float, bytes]] = {}

    def require(self, request: Request, name: Ability) -> None:
        """Raise UnauthorizedError unless the request carries the token; compares in equal time."""
        if is_guarded(request) and may(request, name):
            return  # another token with the same scope, as the gate found out
        if not self.carried(request, name):
            raise UnauthorizedError

    def carried(self, request: Request, name: str) -> bool:
        """Say whether the request carries the token of this name."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        expected = self._read(name)
        # Compared whatever the scheme, so that the time says nothing.
        same = hmac.compare_digest(given.strip().encode(), expected)
        return same and bool(expected) and scheme.lower() == "bearer"

    def _read(self, name: str) -> bytes:
        path = self._folder / name
        try:
            changed = path.stat().st_mtime
            cached = self._known.get(name)
            if cached is None or cached[0] != changed:
                self._known[name] = cached = (changed, path.read_bytes().strip())
        except OSError:
            return b""
        return cached[1]


def alerts_router(service: AlertService) -> APIRouter:
    """Return the routes for machines."""
    router = APIRouter(route_class=Answered)
    tokens = Tokens(Path(service.config.endpoints.secrets_dir))
    _add_intake(router, service, tokens)
    _add_incidents(router, service, tokens)
    _add_regrouping(router, service, tokens)
    _add_watching(router, service)
    return router


async def read_body(request: Request, limit: int = MAX_BODY_BYTES) -> bytes:
    """Read the body, whether its length is announced or not; raises BodyTooLargeError."""
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > limit:
        raise BodyTooLargeError
    chunks = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise BodyTooLargeError
        chunks.append(chunk)
    return b"".join(chunks)


def _add_intake(router: APIRouter, service: AlertService, tokens: Tokens) -> None:
    @router.post("/v1/alertmanager")
    async def alertmanager(request: Request) -> Response:
        """Take an Alertmanager webhook, version 4; the answer comes when it is on disk."""
        tokens.require(request, "ingest")
        result = await service.ingest(await read_body(request))
        return answer(result)

    @router.post("/v1/heartbeat/alertmanager")
    async def heartbeat(request: Request) -> Response:
        """Note that the Watchdog alert arrived."""
        tokens.require(request, "ingest")
        await service.heartbeat(await read_body(request))
        return Response(b"{}", media_type=JSON)


def _add_incidents(router: APIRouter, service: AlertService, tokens: Tokens) -> None:
    @router.get("/v1/incidents")
    async def incidents(request: Request) -> Response:
        """Return incidents: unresolved ones first, then the newest."""
        state: Any = request.query_params.get("state") or None
        if state is not None and state not in STATES:
            raise ParameterError(f"there is no state {state!r}")
        limit = whole_number(request, "limit", 100)
        since_s = float(whole_number(request, "since", 0, most=2**40, least=0))
        found = await service.incidents(state=state, limit=limit, since_s=since_s)
        return answer(found)

    @router.get("/v1/incidents/{number}")
    async def incident(request: Request, number: str) -> Response:
        """Return one incident with alerts, timeline and deliveries."""
        detail = await service.incident(
            incident_number(number), members=whole_number(request, "alerts", 200)
        )
        return answer(detail)

    @router.post("/v1/incidents/{number}/ack")
    async def ack(request: Request, number: str) -> Response:
        """Record who takes care of it: {"by": "ana"}."""
        require_respond(request, tokens)
        by = acting(request, _who(await read_body(request, 65_536)))
        changed = await service.ack(incident_number(number), by=by, via="api")
        return answer(changed)

    @router.delete("/v1/incidents/{number}/ack")
    async def unack(request: Request, number: str) -> Response:
        """Record that nobody takes care of it any more: ?by=ana."""
        require_respond(request, tokens)
        by = acting(request, request.query_params.get("by", "").strip()[:64] or "api")
        changed = await service.unack(incident_number(number), by=by, via="api")
        return answer(changed)


def _add_regrouping(router: APIRouter, service: AlertService, tokens: Tokens) -> None:
    @router.post("/v1/incidents/{number}/merge")
    async def merge(request: Request, number: str) -> Response:
        """Make it part of another incident: {"into": 7, "by": "ana"}; returns that one."""
        require_respond(request, tokens)
        asked = said_as(await read_body(request, 65_536), Merging)
        changed = await service.merge(
            incident_number(number), asked.into, by=acting(request, asked.by), via="api"
        )
        return answer(changed)

    @router.post("/v1/incidents/{number}/split")
    async def split(request: Request, number: str) -> Response:
        """Make a new incident of some of its alerts: {"alerts": ["5fad..."], "by": "ana"}."""
        require_respond(request, tokens)
        asked = said_as(await read_body(request, 1_048_576), Splitting)
        changed = await service.split(
            incident_number(number), asked.alerts, by=acting(request, asked.by), via="api"
        )
        return answer(changed)


def _add_watching(router: APIRouter, service: AlertService) -> None:
    @router.get("/v1/events")
    async def events(request: Request) -> Response:
        """Tell each change of an incident as a server-sent event."""
        del request
        return StreamingResponse(_stream(service), media_type="text/event-stream", headers=_LIVE)

    @router.get("/healthz")
    async def healthz() -> Response:
        """Say that the process answers."""
        return Response(b'{"status": "ok"}', media_type=JSON)

    @router.get("/readyz")
    async def readyz() -> Response:
        """Say whether alerts can be stored."""
        readiness = service.readiness()
        return answer(readiness, 200 if readiness.ready else _UNAVAILABLE)

    @router.get("/metrics")
    async def metrics() -> Response:
        """Return the service's own metrics."""
        return Response(await service.metrics(), media_type=METRICS)


_LIVE: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


async def _stream(service: AlertService) -> AsyncIterator[bytes]:
    async with service.subscribe() as events:
        yield b": connected\n\n"
        upcoming = asyncio.ensure_future(anext(events))
        try:
            while True:
                done, _ = await asyncio.wait({upcoming}, timeout=KEEP_ALIVE_S)
                if not done:
                    yield b": still here\n\n"
                    continue
                yield sse(upcoming.result())
                upcoming = asyncio.ensure_future(anext(events))
        finally:
            upcoming.cancel()


def sse(event: ServiceEvent) -> bytes:
    """Write one event in the form of a server-sent event."""
    return b"event: incident\ndata: " + _encode(event) + b"\n\n"


def acting(request: Request, said: str) -> str:
    """Return who acts: who is signed in; a program says for whom it speaks."""
    caller = caller_of(request)
    return said if caller is None or caller.via == "api" else caller.name


def require_respond(request: Request, tokens: Tokens) -> None:
    """Raise UnauthorizedError unless the request may change incidents."""
    if is_guarded(request):
        return  # the gate has seen to it
    local = request.client is not None and request.client.host in LOOPBACK
    forwarded = "x-forwarded-for" in request.headers or "forwarded" in request.headers
    if not (local and not forwarded):
        tokens.require(request, "respond")


def _who(body: bytes) -> str:
    try:
        said = msgspec.json.decode(body or b"{}", type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise MalformedBodyError(
            f'the body cannot be read: {error}; send {{"by": "name"}}'
        ) from error
    return str(said.get("by") or "api").strip()[:64]


_T = TypeVar("_T")


def said_as(body: bytes, form: type[_T]) -> _T:
    """Read a body in its form; raises MalformedBodyError."""
    try:
        return msgspec.json.decode(body or b"{}", type=form)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        fields = ", ".join(getattr(form, "__struct_fields__", ()))
        raise MalformedBodyError(f"the body cannot be read: {error}; send {fields}") from error


def incident_number(text: str) -> int:
    """Read 7 or INC-7; raises IncidentUnknownError."""
    digits = text.upper().removeprefix("INC-")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 15:  # noqa: PLR2004 - SQLite's
        raise IncidentUnknownError(f"there is no incident {text}")
    return int(digits)


def whole_number(
    request: Request, name: str, default: int, *, most: int = MOST, least: int = 1
) -> int:
    """Read a parameter; raises ParameterError."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()) or not least <= int(text[:16]) <= most:
        raise ParameterError(f"{name}={text[:40]} is not a whole number from {least} to {most}")
    return int(text)
