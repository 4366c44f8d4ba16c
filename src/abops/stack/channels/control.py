"""Making a channel fail on purpose, and the routes that every channel server has beside its own.

A provider is down, slow, overloaded or hidden behind a broken proxy more often than it breaks its
protocol. `Faults` holds the ordered misbehaviour; `FaultGate` sits before the provider's routes
and acts it out. What a fault swallows is neither processed nor recorded: to its sender it was lost.
The routes that begin with `/_` and `/healthz` never fail.
"""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, Literal

import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from abops.stack.channels.recorder import Received, Recorder, Violation

Mode = Literal["ok", "429", "4xx", "5xx", "hang", "slow", "reset", "malformed"]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

TRANSPORT: Final = "abops.transport"  # where `server` puts the connection into an ASGI scope
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)  # SO_LINGER: on, zero seconds: RST, not FIN


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What POST /_control asks for."""

    mode: Mode
    retry_after: int = 1  # seconds, told with a 429
    count: int | None = None  # requests that fail; None: until the next order
    delay_s: float = 3.0  # of mode slow


class Faults:
    """The misbehaviour in force for one channel."""

    def __init__(self) -> None:
        self._order = Order(mode="ok")
        self._left: int | None = None
        self.applied = 0
        self._changed = asyncio.Event()
        self._closed = False

    def obey(self, order: Order) -> None:
        """Put `order` in force; requests that hang are let go."""
        self._order = order
        self._left = order.count
        self.applied = 0
        self._release()

    def close(self) -> None:
        """Let every hanging request go, for the servers stop."""
        self._closed = True
        self._release()

    def strike(self) -> Order:
        """Return what happens to the next request, counting it."""
        order = self._order
        if order.mode == "ok":
            return order
        if self._left is not None:
            if self._left <= 0:
                self._order = Order(mode="ok")
                return self._order
            self._left -= 1
        self.applied += 1
        return order

    async def hang(self) -> None:
        """Wait until the next order or the end of the servers."""
        if not self._closed:
            await self._changed.wait()

    def state(self) -> dict[str, Any]:
        """Return the order in force for GET /_control."""
        mode = "ok" if self._left == 0 else self._order.mode
        return {
            "mode": mode,
            "retry_after": self._order.retry_after,
            "left": self._left,
            "applied": self.applied,
        }

    def _release(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class FaultAnswer(msgspec.Struct, frozen=True):
    """A failing answer in the provider's own form."""

    status: int
    body: bytes
    media_type: str = "application/json"


class FaultGate:
    """ASGI middleware that acts out `faults` before the provider's routes."""

    def __init__(
        self,
        app: Asgi,
        *,
        faults: Faults,
        overloaded: Callable[[int], FaultAnswer],
        broken: FaultAnswer,
    ) -> None:
        self._app = app
        self._faults = faults
        self._overloaded = overloaded
        self._broken = broken

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or fail it as ordered."""
        path = scope.get("path", "")
        if scope["type"] != "http" or path.startswith("/_") or path == "/healthz":
            await self._app(scope, receive, send)
            return
        order = self._faults.strike()
        if order.mode in ("hang", "reset"):
            await self._drop(order, scope, receive)
        elif order.mode in ("ok", "slow"):
            if order.mode == "slow":
                await asyncio.sleep(order.delay_s)
            await self._app(scope, receive, send)
        else:
            await self._fail(order, scope, receive, send)

    async def _drop(self, order: Order, scope: Scope, receive: Receive) -> None:
        """Close the connection without an answer, at once or when the hanging ends."""
        gone = asyncio.ensure_future(_disconnected(receive))
        if order.mode == "hang":
            freed = asyncio.ensure_future(self._faults.hang())
            await asyncio.wait((gone, freed), return_when=asyncio.FIRST_COMPLETED)
            freed.cancel()
        transport = scope[TRANSPORT]
        connection = transport.get_extra_info("socket")
        if connection is not None and not transport.is_closing():
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            transport.abort()
        await gone  # the server answers 500 for us unless it has seen the connection close

    async def _fail(self, order: Order, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[str, str] = {}
        if order.mode == "429":
            answer = self._overloaded(order.retry_after)
            headers["retry-after"] = str(order.retry_after)
        elif order.mode == "malformed":
            answer = FaultAnswer(200, b'{"ok": tru')
        else:
            answer = self._broken
        response = Response(
            answer.body, status_code=answer.status, headers=headers, media_type=answer.media_type
        )
        await response(scope, receive, send)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class BodyTooLargeError(Exception):
    """The request's body is larger than the provider takes."""


async def read_body(request: Request, limit_bytes: int) -> bytes:
    """Read the body, but no more of it than the provider would."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit_bytes:
            raise BodyTooLargeError
    return bytes(body)


def records_json(records: tuple[Received, ...] | tuple[Violation, ...]) -> Response:
    """Return records as one JSON list, oldest first."""
    return Response(msgspec.json.encode(records), media_type="application/json")


async def ordered(request: Request, faults: Faults) -> Response:
    """Answer POST /_control."""
    try:
        order = msgspec.json.decode(await read_body(request, 65_536), type=Order)
    except (msgspec.DecodeError, BodyTooLargeError) as error:
        return JSONResponse({"error": str(error) or "too large"}, status_code=422)
    faults.obey(order)
    return JSONResponse(faults.state())


def add_control_routes(app: FastAPI, channel: str, recorder: Recorder, faults: Faults) -> None:
    """Give `app` the routes that tests and the inbox use."""

    @app.get("/healthz")
    async def health() -> Response:
        return JSONResponse({"status": "ok", "channel": channel})

    @app.get("/_received")
    async def received() -> Response:
        return records_json(recorder.received(channel))

    @app.delete("/_received")
    async def clear() -> Response:
        recorder.clear(channel)
        return Response(status_code=204)

    @app.get("/_violations")
    async def violations() -> Response:
        return records_json(recorder.violations(channel))

    @app.get("/_control")
    async def state() -> Response:
        return JSONResponse(faults.state())

    @app.post("/_control")
    async def control(request: Request) -> Response:
        return await ordered(request, faults)
