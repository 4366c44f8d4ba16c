"""The inbox: one page that shows what each channel received and when.

The page is three static files without any outside request; it hears of news by server-sent events
and fetches the records as JSON. It also takes the orders for the mail server, which has no HTTP.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from importlib import resources
from typing import Final

import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from abops.stack.channels import slack
from abops.stack.channels.blocks import lines_of
from abops.stack.channels.control import Faults, ordered, records_json
from abops.stack.channels.desk import Desk
from abops.stack.channels.inbox_buttons import buttons_of, newest
from abops.stack.channels.recorder import Received

_PAGE: Final = {
    "/": ("inbox.html", "text/html; charset=utf-8"),
    "/inbox.css": ("inbox.css", "text/css; charset=utf-8"),
    "/inbox.svg": ("inbox.svg", "image/svg+xml"),
    "/inbox.js": ("inbox.js", "text/javascript; charset=utf-8"),
}
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_SHOWN: Final = 200  # records of a channel on the page
_PULSE_S: Final = 15.0  # a comment this often keeps the stream open and finds dead readers


def inbox_app(desk: Desk, faults: Mapping[str, Faults], stopping: asyncio.Event) -> FastAPI:
    """Return the inbox's routes; `stopping` ends the streams."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    recorder = desk.recorder
    for path, (name, media_type) in _PAGE.items():
        content = resources.files(__package__).joinpath("page", name).read_bytes()
        app.add_api_route(path, _static(content, media_type), methods=["GET"])

    @app.get("/healthz")
    async def health() -> Response:
        return JSONResponse({"status": "ok", "channels": sorted(faults)})

    @app.get("/_received")
    async def received(channel: str | None = None) -> Response:
        return records_json(recorder.received(channel))

    @app.delete("/_received")
    async def clear() -> Response:
        recorder.clear()
        return Response(status_code=204)

    @app.get("/_violations")
    async def violations(channel: str | None = None) -> Response:
        return records_json(recorder.violations(channel))

    @app.get("/_page")
    async def page() -> Response:
        return Response(_page(desk, faults), media_type="application/json")

    @app.get("/_events")
    async def events() -> Response:
        headers = {"Cache-Control": "no-cache"}
        return StreamingResponse(
            _changes(desk, stopping), media_type="text/event-stream", headers=headers
        )

    @app.get("/_control/smtp")
    async def state() -> Response:
        return JSONResponse(faults["email"].state())

    @app.post("/_control/smtp")
    async def control(request: Request) -> Response:
        return await ordered(request, faults["email"])

    return app


def _static(content: bytes, media_type: str) -> Callable[[], Awaitable[Response]]:
    async def serve() -> Response:
        return Response(content, media_type=media_type, headers=_HEADERS)

    return serve


def _page(desk: Desk, faults: Mapping[str, Faults]) -> bytes:
    """Return what the page shows: the newest of each channel, without the full payloads."""
    recorder = desk.recorder
    channels = []
    current = newest(recorder.received(None))
    for name in faults:
        received = recorder.received(name)
        channels.append(
            {
                "name": name,
                "mode": faults[name].state()["mode"],
                "total": len(received),
                "received": [
                    {
                        "number": record.number,
                        "received_at": record.received_at,
                        "action": record.action,
                        "destination": record.destination,
                        "severity": record.severity,
                        "summary": record.summary,
                        "text": _text(record),
                        "buttons": buttons_of(record) if record.number in current else [],
                    }
                    for record in received[: -_SHOWN - 1 : -1]
                ],
            }
        )
    violations = recorder.violations()
    return msgspec.json.encode(
        {
            "now": desk.clock.now(),
            "channels": channels,
            "violations": violations[: -_SHOWN - 1 : -1],
            "violations_total": len(violations),
        }
    )


def _text(record: Received) -> str:
    """Return the message as it is read in full; an event without a text is shown as it is."""
    if record.channel == slack.CHANNEL:
        return lines_of(record.payload)
    if isinstance(text := record.payload.get("text"), str) and text:
        return text
    return msgspec.json.format(msgspec.json.encode(record.payload), indent=2).decode()


async def _changes(desk: Desk, stopping: asyncio.Event) -> AsyncIterator[str]:
    """Yield one event at once and one for every change after it."""
    with desk.recorder.watch() as changed:
        while not stopping.is_set():
            changed.clear()
            yield f"data: {desk.recorder.revision}\n\n"
            stopped = asyncio.ensure_future(stopping.wait())
            news = asyncio.ensure_future(changed.wait())
            try:
                await asyncio.wait(
                    (stopped, news), timeout=_PULSE_S, return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                stopped.cancel()
                news.cancel()
