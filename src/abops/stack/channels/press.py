"""Pressing buttons for the person: POST /_press on each provider's server.

Slack sends the interaction at once and signed; PagerDuty sends a v3 webhook about the incident;
Telegram keeps the press until the bot fetches it. The secrets are the files slack-sign and pd-hook.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode
from uuid import uuid4

import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from abops.stack.channels.blocks import listed
from abops.stack.channels.callbacks import CallbackError, deliver, sign
from abops.stack.channels.control import read_body
from abops.stack.channels.desk import Desk
from abops.stack.channels.pagerduty import Incident, PagerDutyService
from abops.stack.channels.slack import Workspace
from abops.stack.channels.telegram import Bot
from abops.stack.channels.telegram_message import buttons

_JSON: Final = "application/json"
_STATES: Final = {
    "acknowledge": "acknowledged",
    "unacknowledge": "unacknowledged",
    "resolve": "resolved",
}


class Press(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which button of which message is pressed."""

    action: str
    channel: str = ""  # Slack
    ts: str = ""  # Slack
    chat_id: int | str = ""  # Telegram
    message_id: int = 0  # Telegram
    dedup_key: str = ""  # PagerDuty
    user: str = "U0ANA"
    url: str | None = None  # where to send it; None: the configured alert service


class Saying(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody says to Telegram's bot."""

    chat_id: int | str
    text: str
    user: int = 100


class PressError(Exception):
    """There is nothing to press, or nobody to tell."""


async def _press(request: Request) -> Press:
    try:
        return msgspec.json.decode(await read_body(request, 65_536), type=Press)
    except msgspec.DecodeError as error:
        raise PressError(str(error)) from None


def _address(desk: Desk, press: Press, path: str) -> str:
    if press.url:
        return press.url
    if desk.config.alert_service_url is None:
        raise PressError("no url was given and alert_service_url is not configured")
    return desk.config.alert_service_url.rstrip("/") + path


def _secret(desk: Desk, name: str) -> str:
    if (secret := desk.secrets.read(name)) is None:
        raise PressError(f"the secret {name} is missing, so the callback cannot be signed")
    return secret


async def _told(url: str, body: bytes, headers: dict[str, str]) -> Response:
    try:
        status, answer = await deliver(url, body, headers)
    except CallbackError as error:
        return JSONResponse({"error": str(error), "hint": error.hint}, status_code=502)
    return JSONResponse({"url": url, "status": status, "answer": answer})


Presser = Callable[[Press], Awaitable[Response]]


def _add_route(app: FastAPI, presser: Presser) -> Presser:
    @app.post("/_press")
    async def press(request: Request) -> Response:
        try:
            wanted = await _press(request)
        except PressError as error:
            return JSONResponse({"error": str(error)}, status_code=422)
        return await presser(wanted)

    return presser


def add_slack_press(app: FastAPI, desk: Desk, workspace: Workspace) -> Presser:
    """Let POST /_press on Slack's server press a message's button."""

    async def press(wanted: Press) -> Response:
        try:
            message = workspace.messages.get((wanted.channel, wanted.ts))
            url = _address(desk, wanted, "/v1/callbacks/slack")
            secret = _secret(desk, "slack-sign")
            at = str(int(desk.clock.now().timestamp()))
            interaction = _interaction(wanted, message, at)
        except PressError as error:
            return JSONResponse({"error": str(error)}, status_code=422)
        body = urlencode({"payload": msgspec.json.encode(interaction).decode()}).encode()
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": at,
            "X-Slack-Signature": f"v0={sign(secret, b'v0:' + at.encode() + b':' + body)}",
        }
        return await _told(url, body, headers)

    return _add_route(app, press)


def _interaction(wanted: Press, message: Mapping[str, Any] | None, at: str) -> dict[str, Any]:
    """Return Slack's block_actions payload for the first button that is meant."""
    if message is None:
        raise PressError("no such message")
    elements = [
        element
        for block in listed(message, "blocks")
        if isinstance(block, dict)
        for element in [*listed(block, "elements"), block.get("accessory")]
        if isinstance(element, dict) and element.get("type") == "button"
    ]
    for element in elements:
        names = (str(element.get("action_id") or ""), str(element.get("value") or ""))
        if any(name.startswith(wanted.action) for name in names):
            break
    else:
        raise PressError(f"the message has no button for {wanted.action}")
    return {
        "type": "block_actions",
        "trigger_id": f"{uuid4().int % 10**12}.{wanted.ts}.{uuid4().hex}",
        "team": {"id": "T0LOCAL", "domain": "local"},
        "user": {"id": wanted.user, "username": wanted.user.lower(), "team_id": "T0LOCAL"},
        "channel": {"id": wanted.channel, "name": "ops"},
        "container": {
            "type": "message",
            "message_ts": wanted.ts,
            "channel_id": wanted.channel,
            "is_ephemeral": False,
        },
        "message": {"ts": wanted.ts, "text": message.get("text") or ""},
        "actions": [
            {
                "type": "button",
                "action_id": element.get("action_id"),
                "block_id": element.get("block_id"),
                "value": element.get("value"),
                "text": element.get("text"),
                "action_ts": f"{at}.{uuid4().int % 10**6:06d}",
            }
        ],
    }


def add_pagerduty_press(app: FastAPI, desk: Desk, service: PagerDutyService) -> Presser:
    """Let POST /_press on PagerDuty's server change an incident and send the v3 webhook."""

    async def press(wanted: Press) -> Response:
        try:
            incident, action = _incident(service, wanted)
            url = _address(desk, wanted, "/v1/callbacks/pagerduty")
            secret = _secret(desk, "pd-hook")
        except PressError as error:
            return JSONResponse({"error": str(error)}, status_code=422)
        service.touch(incident, action)
        at = desk.clock.now().isoformat(timespec="milliseconds")
        body = msgspec.json.encode(_webhook(incident, _STATES[action], at))
        signature = f"v1={sign(secret, body)}"
        return await _told(url, body, {"Content-Type": _JSON, "X-PagerDuty-Signature": signature})

    return _add_route(app, press)


def _incident(service: PagerDutyService, wanted: Press) -> tuple[Incident, str]:
    action = "acknowledge" if wanted.action == "ack" else wanted.action
    incident = service.open_incident(wanted.dedup_key)
    if incident is None or action not in _STATES:
        raise PressError("no open incident has this dedup_key, or no such action")
    return incident, action


def _webhook(incident: Incident, state: str, at: str) -> dict[str, Any]:
    number = incident.number
    return {
        "event": {
            "id": uuid4().hex,
            "event_type": f"incident.{state}",
            "resource_type": "incident",
            "occurred_at": at,
            "agent": {"id": "P0ANA", "type": "user_reference", "summary": "Ana"},
            "client": None,
            "data": {
                "id": f"Q{number:013d}",
                "type": "incident",
                "number": number,
                "status": incident.status,
                "incident_key": incident.dedup_key,
                "title": incident.summary,
                "created_at": incident.triggered_at,
                "urgency": "high",
            },
        }
    }


def add_telegram_press(app: FastAPI, bot: Bot) -> Presser:
    """Let POST /_press on Telegram's server press an inline keyboard's button."""

    async def press(wanted: Press) -> Response:
        try:
            data = _button_data(bot, wanted)
        except PressError as error:
            return JSONResponse({"error": str(error)}, status_code=422)
        return JSONResponse(bot.press(str(wanted.chat_id), wanted.message_id, data))

    @app.post("/_say")
    async def say(request: Request) -> Response:
        try:
            said = msgspec.json.decode(await read_body(request, 65_536), type=Saying)
        except msgspec.DecodeError as error:
            return JSONResponse({"error": str(error)}, status_code=422)
        return JSONResponse(bot.say(str(said.chat_id), said.text, said.user))

    return _add_route(app, press)


def _button_data(bot: Bot, wanted: Press) -> str:
    message = bot.messages.get((str(wanted.chat_id), wanted.message_id))
    if message is None:
        raise PressError("no such message")
    known = [str(button.get("callback_data") or "") for button in buttons(message)]
    data = next((name for name in known if name.startswith(wanted.action)), None)
    if data is None:
        raise PressError(f"the message has no button for {wanted.action}")
    return data
