"""Slack's Web API and incoming webhooks, with their limits.

Documented: one message a second per channel with short bursts; `chat.update` is tier 3, 50 a
minute; 50 blocks a message. Errors of the Web API are HTTP 200 with `ok: false`; only the rate
limit is a 429. Incoming webhooks answer in plain words.
"""

import math
import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from abops.stack.channels.blocks import SlackRefusal, check_content, text_of
from abops.stack.channels.control import BodyTooLargeError, FaultAnswer, read_body
from abops.stack.channels.desk import Desk
from abops.stack.channels.limits import Limit, SlidingWindow, TokenBucket, admit
from abops.stack.channels.severity import severity_in

CHANNEL: Final = "slack"
BROKEN: Final = FaultAnswer(503, b'{"ok":false,"error":"service_unavailable"}')
_BODY_BYTES: Final = 1 << 20
_SHORT_BURST: Final = 5  # Slack allows "short bursts" without a number
_CHANNEL_NAME: Final = re.compile(r"[CDG][A-Z0-9]{2,}|#[a-z0-9_-]{1,80}")
Content = dict[str, Any]
Method = Callable[[Content], Content]

_TEAM: Final = {"team": "Local", "team_id": "T0LOCAL", "user": "abops", "user_id": "U0ABOPS"}


class RateLimitedError(Exception):
    """The sender asked for more than the limit; it may come again after `retry_after` seconds."""

    def __init__(self, rule: str, retry_after: int) -> None:
        super().__init__(rule)
        self.rule = rule
        self.retry_after = retry_after


def overloaded(_retry_after: int) -> FaultAnswer:
    """Return Slack's answer to too many requests."""
    return FaultAnswer(429, b'{"ok":false,"error":"ratelimited"}')


class Workspace:
    """One Slack workspace: its channels' messages and its allowances."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._posts = TokenBucket(
            "1 message a second per channel", rate_per_s=1, burst=_SHORT_BURST, clock=desk.clock
        )
        self._updates = SlidingWindow(
            "50 updates a minute", count=50, window_s=60, clock=desk.clock
        )
        self.messages: dict[tuple[str, str], Content] = {}
        self._last_ts_us = 0
        for record in desk.recorder.received(CHANNEL):
            if (ts := record.answer.get("ts")) and record.action != "chat.postEphemeral":
                self.messages[record.destination, ts] = record.payload
                self._last_ts_us = max(self._last_ts_us, int(ts.replace(".", "")))

    def test(self, _content: Content) -> Content:
        """auth.test: say whose token it is."""
        return {"ok": True, "url": "https://local.slack.com/", **_TEAM, "bot_id": "B0ABOPS"}

    def post(self, content: Content) -> Content:
        """chat.postMessage: accept a message, in a thread when `thread_ts` is given."""
        channel = self._channel(content)
        check_content(content)
        thread = str(content.get("thread_ts") or "")
        if thread and (channel, thread) not in self.messages:
            raise SlackRefusal("thread_not_found")
        self._admit(self._posts, channel)
        ts = self._next_ts()
        self.messages[channel, ts] = content
        answer = {"ok": True, "channel": channel, "ts": ts, "message": _message(content, ts)}
        self._record("chat.postMessage", channel, content, answer)
        return answer

    def ephemeral(self, content: Content) -> Content:
        """chat.postEphemeral: accept a message that one person sees; it cannot be updated."""
        channel = self._channel(content)
        if not content.get("user"):
            raise SlackRefusal("user_not_in_channel")
        check_content(content)
        self._admit(self._posts, channel)
        ts = self._next_ts()
        answer = {"ok": True, "message_ts": ts}
        self._record("chat.postEphemeral", channel, content, answer)
        return answer

    def update(self, content: Content) -> Content:
        """chat.update: put new content in place of an earlier message's."""
        channel = self._channel(content)
        ts = str(content.get("ts") or "")
        if (channel, ts) not in self.messages:
            raise SlackRefusal("message_not_found")
        check_content(content)
        self._admit(self._updates, "workspace")
        self.messages[channel, ts] = content
        answer = {
            "ok": True,
            "channel": channel,
            "ts": ts,
            "text": content.get("text") or "",
            "message": _message(content, ts),
        }
        self._record("chat.update", channel, content, answer)
        return answer

    def webhook(self, path: str, content: Content) -> None:
        """Accept a message of an incoming webhook, whose address is its secret."""
        known = self._desk.secrets.read("slack-webhook")
        if known is None or urlsplit(known).path != path:
            raise SlackRefusal("invalid_token")
        check_content(content)
        channel = str(content.get("channel") or "webhook")
        self._admit(self._posts, f"webhook {path}")
        self._record("webhook", channel, content, {"ts": self._next_ts()})

    def refuse(self, content: Content, refusal: SlackRefusal) -> None:
        """Remember what was refused."""
        self._violate("limit" if refusal.limit else "refused", refusal.error, content, refusal)

    def limited(self, content: Content, error: RateLimitedError) -> None:
        """Remember that a rate limit was broken."""
        self._violate("limit", error.rule, content, None)

    def _violate(
        self, kind: str, rule: str, content: Content, refusal: SlackRefusal | None
    ) -> None:
        self._desk.recorder.violate(
            CHANNEL,
            kind=kind,
            rule=rule,
            destination=str(content.get("channel") or ""),
            detail="; ".join(refusal.messages) if refusal else "",
        )

    def _channel(self, content: Content) -> str:
        channel = str(content.get("channel") or "")
        allowed = self._desk.config.slack_channels
        if not (channel in allowed if allowed else _CHANNEL_NAME.fullmatch(channel)):
            raise SlackRefusal("channel_not_found")
        return channel

    def _admit(self, limit: Limit, key: str) -> None:
        if refused := admit([(limit, key)]):
            rule, wait_s = refused
            raise RateLimitedError(rule, max(1, math.ceil(wait_s)))

    def _next_ts(self) -> str:
        now_us = int(self._desk.clock.now().timestamp() * 1_000_000)
        self._last_ts_us = max(now_us, self._last_ts_us + 1)
        seconds, micros = divmod(self._last_ts_us, 1_000_000)
        return f"{seconds}.{micros:06d}"

    def _record(self, action: str, channel: str, content: Content, answer: Content) -> None:
        text = text_of(content)
        self._desk.recorder.receive(
            CHANNEL,
            action=action,
            destination=channel,
            severity=severity_in(text),
            summary=text,
            payload=content,
            answer={"ts": answer.get("ts") or answer.get("message_ts")},
        )


def slack_app(desk: Desk, workspace: Workspace) -> FastAPI:
    """Return Slack's routes."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    methods: dict[str, Method] = {
        "auth.test": workspace.test,
        "chat.postMessage": workspace.post,
        "chat.postEphemeral": workspace.ephemeral,
        "chat.update": workspace.update,
    }

    @app.post("/api/{method}")
    async def call(method: str, request: Request) -> Response:
        content: Content = {}
        try:
            content = await _content(request)
            _authenticate(desk, request, content)
            return JSONResponse(methods.get(method, _unknown)(content))
        except SlackRefusal as refusal:
            workspace.refuse(content, refusal)
            return JSONResponse(_refused(refusal))
        except RateLimitedError as error:
            workspace.limited(content, error)
            return JSONResponse(
                {"ok": False, "error": "ratelimited"},
                status_code=429,
                headers={"Retry-After": str(error.retry_after)},
            )

    @app.post("/services/{address:path}")
    async def webhook(address: str, request: Request) -> Response:
        content: Content = {}
        try:
            content = await _content(request)
            workspace.webhook(f"/services/{address}", content)
        except SlackRefusal as refusal:
            workspace.refuse(content, refusal)
            status = 403 if refusal.error == "invalid_token" else 400
            return PlainTextResponse(refusal.error, status_code=status)
        except RateLimitedError as error:
            workspace.limited(content, error)
            headers = {"Retry-After": str(error.retry_after)}
            return PlainTextResponse("rate_limited", status_code=429, headers=headers)
        return PlainTextResponse("ok")

    return app


def _unknown(_content: Content) -> Content:
    raise SlackRefusal("unknown_method")


async def _content(request: Request) -> Content:
    """Return the call's arguments, sent as JSON or as a form."""
    try:
        body = await read_body(request, _BODY_BYTES)
    except BodyTooLargeError:
        raise SlackRefusal("request_too_large", limit=True) from None
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            content = msgspec.json.decode(body or b"{}")  # slack_sdk sends none for auth.test
        except msgspec.DecodeError:
            raise SlackRefusal("invalid_json") from None
        if not isinstance(content, dict):
            raise SlackRefusal("json_not_object")
        return content
    form = dict(parse_qsl(body.decode(errors="replace")))
    if "payload" not in form:
        return form
    try:
        content = msgspec.json.decode(form["payload"])
    except msgspec.DecodeError:
        raise SlackRefusal("invalid_payload") from None
    return content if isinstance(content, dict) else {}


def _authenticate(desk: Desk, request: Request, content: Content) -> None:
    """Check the bearer token; the form's token is taken out, for it must not be recorded."""
    in_form = str(content.pop("token", "") or "")
    scheme, _, in_header = request.headers.get("authorization", "").partition(" ")
    token = in_header.strip() if scheme.lower() == "bearer" else in_form
    if not token:
        raise SlackRefusal("not_authed")
    if not desk.secrets.matches("slack", token):
        raise SlackRefusal("invalid_auth")


def _message(content: Content, ts: str) -> Content:
    message = {
        "type": "message",
        "subtype": "bot_message",
        "text": content.get("text") or "",
        "ts": ts,
        "bot_id": "B0ABOPS",
    }
    if content.get("thread_ts"):
        message["thread_ts"] = content["thread_ts"]
    return message


def _refused(refusal: SlackRefusal) -> Content:
    answer: Content = {"ok": False, "error": refusal.error}
    if refusal.messages:
        answer["errors"] = [message.removeprefix("[ERROR] ") for message in refusal.messages]
        answer["response_metadata"] = {"messages": list(refusal.messages)}
    return answer
