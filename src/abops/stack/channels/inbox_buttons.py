"""The buttons in the inbox: what the person who received a message could press, pressed for them.

Only the newest state of a message has buttons, as in the real channels, where an edit replaces
them.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from abops.stack.channels.blocks import listed
from abops.stack.channels.control import read_body
from abops.stack.channels.desk import Desk
from abops.stack.channels.press import Press
from abops.stack.channels.recorder import Received
from abops.stack.channels.telegram_message import buttons

Pressers = Mapping[str, Callable[[Press], Awaitable[Response]]]
_PAGERDUTY = {"trigger": ("acknowledge", "resolve"), "acknowledge": ("unacknowledge", "resolve")}


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which button of which record."""

    number: int
    action: str


def newest(records: Iterable[Received]) -> set[int]:
    """Return the numbers of the records that show a message as it is now."""
    last = {(r.channel, r.destination, _name(r)): r.number for r in records}
    return set(last.values())


def buttons_of(record: Received) -> list[dict[str, str]]:
    """Return label and action of what can be pressed."""
    if record.channel == "slack":
        return [
            {"label": str((e.get("text") or {}).get("text")), "action": str(e.get("action_id"))}
            for block in listed(record.payload, "blocks")
            if isinstance(block, dict)
            for e in listed(block, "elements")
            if isinstance(e, dict) and e.get("type") == "button"
        ]
    if record.channel == "telegram":
        return [
            {"label": str(b.get("text")), "action": str(b.get("callback_data")).partition(":")[0]}
            for b in buttons(record.payload)
        ]
    return [{"label": w.capitalize(), "action": w} for w in _PAGERDUTY.get(record.action, ())]


def add_pressing(app: FastAPI, desk: Desk, pressers: Pressers) -> None:
    """Let the page press the buttons: POST /_press with the record's number and the action."""

    @app.post("/_press")
    async def press(request: Request) -> Response:
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return JSONResponse({"error": "another site's page asked for this"}, status_code=403)
        try:
            wanted = msgspec.json.decode(await read_body(request, 4_096), type=Wanted)
        except msgspec.DecodeError as error:
            return JSONResponse({"error": str(error)}, status_code=422)
        found = [r for r in desk.recorder.received(None) if r.number == wanted.number]
        record = next((r for r in found if r.channel in pressers), None)
        if record is None:
            return JSONResponse({"error": "there is no such message"}, status_code=422)
        return await pressers[record.channel](_press_of(record, wanted.action))


def _press_of(record: Received, action: str) -> Press:
    if record.channel == "slack":
        return Press(action, channel=record.destination, ts=_name(record))
    if record.channel == "telegram":
        return Press(action, chat_id=record.destination, message_id=int(_name(record)))
    return Press(action, dedup_key=record.destination)


def _name(record: Received) -> str:
    answer: Mapping[str, Any] = record.answer
    return str(answer.get("ts") or answer.get("message_id") or "0")
