"""One account's session at the gateway: `POST <gateway>/<method>`, answers with MTProto's errors.

The transport is a stand-in: JSON over HTTP to a gateway that holds the connection to Telegram
(here the stub), instead of MTProto's own binary protocol. Methods, error codes and names are
Telegram's: 420 FLOOD_WAIT_x, 401 AUTH_KEY_UNREGISTERED, 400 CHANNEL_PRIVATE.
"""

import re
from collections.abc import Mapping
from typing import Any

from aiohttp import ClientError, ClientSession

from abops_instrument import client_span, counter

SESSION_HEADER = "X-Mtproto-Session"
GET_STATE, GET_FULL_CHANNEL = "updates.getState", "channels.getFullChannel"
METHODS = (GET_STATE, GET_FULL_CHANNEL)
RESULTS = ("ok", "flood_wait", "unauthorized", "refused", "server", "network")
OK, UNAUTHORIZED, FLOOD, SERVER_SIDE = 200, 401, 420, 500
_FLOOD_WAIT = re.compile(r"FLOOD_WAIT_(\d{1,6})")


class FloodWaitError(Exception):
    """Telegram wants this account to be silent for a while."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"FLOOD_WAIT_{seconds}")
        self.seconds = seconds


class SessionLostError(Exception):
    """Telegram has ended this session. No waiting brings it back."""


class RefusedError(Exception):
    """Telegram refuses this one request, such as one for a private channel."""


class AwayError(Exception):
    """The gateway or Telegram did not answer as it should; later it may."""


class Session:
    """One account. Speaks for it, and counts what it says."""

    def __init__(self, http: ClientSession, gateway_url: str, key: str) -> None:
        self._http, self._url = http, gateway_url
        self._headers = {SESSION_HEADER: key}
        self._requests = counter(
            "telegram_mtproto_requests_total", "Requests of the accounts.", ("method", "result")
        )
        for method in METHODS:  # a counter that is born at 1 hides its first event
            for result in RESULTS:
                self._requests.labels(method, result)
        self._waits = counter(
            "telegram_mtproto_flood_wait_seconds_total", "Seconds Telegram told accounts to wait."
        ).labels()

    async def call(self, method: str, **parameters: int) -> Mapping[str, Any]:
        """Return the method's result; raise one of the errors above."""
        result = "network"  # unless there is an answer
        try:
            with client_span(method, peer__service="telegram", rpc__system="mtproto"):
                status, answer = await self._post(method, parameters)
            result, error = _judge(status, answer)
        finally:
            self._requests.labels(method, result).inc()
        if isinstance(error, FloodWaitError):
            self._waits.inc(error.seconds)
        if error is not None:
            raise error
        found = answer.get("result")
        return found if isinstance(found, dict) else {}

    async def _post(self, method: str, parameters: Mapping[str, int]) -> tuple[int, dict[str, Any]]:
        try:
            async with self._http.post(
                f"{self._url}/{method}", json=parameters, headers=self._headers
            ) as response:
                answer = await response.json(content_type=None)
        except (TimeoutError, ClientError, OSError, ValueError) as error:
            raise AwayError(type(error).__name__) from error
        return response.status, answer if isinstance(answer, dict) else {}


def _judge(status: int, answer: Mapping[str, Any]) -> tuple[str, Exception | None]:
    """Return the label `result` and the error that an answer means."""
    if status == OK:
        return "ok", None
    words = str(answer.get("error", "no reason"))[:80]
    flood = _FLOOD_WAIT.fullmatch(words)
    if status == FLOOD and flood:
        return "flood_wait", FloodWaitError(max(1, int(flood[1])))
    if status == UNAUTHORIZED:
        return "unauthorized", SessionLostError(words)
    if status >= SERVER_SIDE or status == FLOOD:
        return "server", AwayError(f"{status} {words}")
    return "refused", RefusedError(words)
