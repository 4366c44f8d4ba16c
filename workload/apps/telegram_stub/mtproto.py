"""A gateway to user sessions: `POST /mtproto/<method>`, with MTProto's limits and errors.

There is no MTProto here, only its manners: a session that asks too often is told FLOOD_WAIT_x,
one that Telegram does not know AUTH_KEY_UNREGISTERED, and some channels are private.
"""

import hmac
import math
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from apps.faults import switches

SESSION_HEADER = "X-Mtproto-Session"
REQUESTS, WITHIN_S = 30, 10.0
"""One session may ask so often in so many seconds."""
PRIVATE_EVERY = 101
"""Of the channels one in so many is private."""


class Refusal(Exception):  # noqa: N818 - it is an answer
    """An error as Telegram words it."""

    def __init__(self, code: int, error: str) -> None:
        super().__init__(error)
        self.code, self.error = code, error


class Gateway:
    """The sessions that exist, and how often each has asked lately."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = keys
        self._asked: defaultdict[str, deque[float]] = defaultdict(deque)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request of a session."""
        if switches().active("telegram_down") is not None:
            if request.transport is not None:
                request.transport.abort()
            raise web.HTTPServiceUnavailable
        try:
            self._admit(request.headers.get(SESSION_HEADER, ""), time.monotonic())
            result = _result(request.match_info["method"], await _parameters(request))
        except Refusal as refusal:
            return web.json_response({"ok": False, "error": refusal.error}, status=refusal.code)
        return web.json_response({"ok": True, "result": result})

    def _admit(self, key: str, moment: float) -> None:
        # Every key is compared, so that the time it takes says nothing about them.
        found = [
            hmac.compare_digest(key.encode(errors="replace"), known.encode())
            for known in self._keys
        ]
        if not any(found):
            raise Refusal(401, "AUTH_KEY_UNREGISTERED")
        if switches().hits("mtproto_revoked") is not None:
            raise Refusal(401, "SESSION_REVOKED")
        flood = switches().hits("mtproto_flood")
        if flood is not None:
            raise Refusal(420, f"FLOOD_WAIT_{int(flood.number('wait_s', 30))}")
        asked = self._asked[key]
        while asked and asked[0] <= moment - WITHIN_S:
            asked.popleft()
        if len(asked) >= REQUESTS:
            raise Refusal(420, f"FLOOD_WAIT_{math.ceil(asked[0] + WITHIN_S - moment)}")
        asked.append(moment)


async def _parameters(request: web.Request) -> dict[str, Any]:
    try:
        parameters = await request.json()
    except ValueError as error:
        raise Refusal(400, "INPUT_REQUEST_INVALID") from error
    if not isinstance(parameters, dict):
        raise Refusal(400, "INPUT_REQUEST_INVALID")
    return parameters


def _result(method: str, parameters: dict[str, Any]) -> dict[str, int]:
    if method == "updates.getState":
        return {"pts": 1, "qts": 0, "date": 0, "seq": 1, "unread_count": 0}
    if method != "channels.getFullChannel":
        raise Refusal(400, "METHOD_INVALID")
    channel_id = parameters.get("channel_id")
    if not isinstance(channel_id, int) or channel_id <= 0:
        raise Refusal(400, "CHANNEL_INVALID")
    if channel_id % PRIVATE_EVERY == 0:
        raise Refusal(400, "CHANNEL_PRIVATE")
    subscribers = 100 + channel_id * 7919 % 50_000
    return {"id": channel_id, "participants_count": subscribers, "online_count": subscribers // 20}
