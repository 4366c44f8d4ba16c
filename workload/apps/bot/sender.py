"""The Bot API for tasks: one message at a time, over a connection that is kept.

The bot itself speaks through aiogram, which is a coroutine library of forty megabytes; a
worker's child needs one method, so it speaks HTTP itself.
"""

import http.client
import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from abops_instrument import client_span

TIMEOUT_S = 10
TOO_MANY = 429
FORBIDDEN = 403
SERVER_SIDE = 500


class TelegramError(Exception):
    """Telegram did not take the message, and will not."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(f"{code}: {description}")
        self.code = code


class BlockedError(TelegramError):
    """The user or channel has blocked the bot."""


class TryAgainError(Exception):
    """Telegram asks for patience, or could not be reached."""

    def __init__(self, code: str, retry_after_s: float) -> None:
        super().__init__(f"Telegram: {code}, again in {retry_after_s:g} s")
        self.code = code
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Call:
    """What one call of the Bot API took; for the metrics."""

    method: str
    status: int
    """HTTP's status; 0 when there was no answer."""
    seconds: float
    retry_after_s: float = 0.0

    @property
    def code(self) -> str:
        """Return the label `code` of the Bot API's metrics."""
        return str(self.status) if self.status else "network"


class Telegram:
    """A client of the Bot API. Not for several threads."""

    def __init__(self, base_url: str, token: str) -> None:
        address = urlsplit(base_url)
        kind = http.client.HTTPSConnection if address.scheme == "https" else None
        self._connection = (kind or http.client.HTTPConnection)(
            address.hostname or "", address.port, timeout=TIMEOUT_S
        )
        self._prefix = f"{address.path}/bot{token}"
        self.address = address.hostname or ""
        self.calls: list[Call] = []

    def send_message(self, chat_id: int, text: str) -> int:
        """Send `text` and return the message's id."""
        return int(self.call("sendMessage", chat_id=chat_id, text=text)["message_id"])

    def call(self, method: str, **parameters: object) -> Any:  # noqa: ANN401 - as the method has it
        """Call `method` and return its result; raise one of the errors above."""
        started = time.perf_counter()
        with client_span(method, peer__service="telegram", rpc__system="telegram"):
            status, answer = self._post(method, parameters)
        retry_after = float((answer.get("parameters") or {}).get("retry_after", 0))
        made = Call(method, status, time.perf_counter() - started, retry_after)
        self.calls.append(made)
        if answer.get("ok"):
            return answer["result"]
        if status == 0 or status >= SERVER_SIDE:
            raise TryAgainError(made.code, 5.0)
        if status == TOO_MANY:
            raise TryAgainError(made.code, retry_after or 1.0)
        kind = BlockedError if status == FORBIDDEN else TelegramError
        raise kind(status, str(answer.get("description", "")))

    def take_calls(self) -> list[Call]:
        """Return the calls made since the last time."""
        calls, self.calls = self.calls, []
        return calls

    def _post(self, method: str, parameters: dict[str, object]) -> tuple[int, dict[str, Any]]:
        body = json.dumps(parameters)
        headers = {"Content-Type": "application/json"}
        # A kept connection may have been closed by the other side: ask once more, on a new one.
        for is_last in (self._connection.sock is None, True):
            try:
                self._connection.request("POST", f"{self._prefix}/{method}", body, headers)
                response = self._connection.getresponse()
                return response.status, _as_object(response.read())
            except (ConnectionError, http.client.HTTPException):
                self._connection.close()
                if is_last:
                    return 0, {}
            except OSError:
                self._connection.close()
                return 0, {}
        return 0, {}


def _as_object(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
