"""Pressing a button as a person would: the provider's signed callback, sent to the alert service.

Signatures are made the way Slack and PagerDuty document them, so that the receiving side's check
is a real one. The request goes out in a thread by the standard library: it is one POST to the
loopback, and the library that the platform's clients use belongs to those clients.
"""

import asyncio
import hmac
import http.client
from urllib.parse import urlsplit

from abops.kernel.errors import OpsError

_TIMEOUT_S = 5.0


class CallbackError(OpsError):
    """The callback could not be delivered."""

    hint = "Give `url` in the request, or set alert_service_url in the configuration."


def sign(secret: str, message: bytes) -> str:
    """Return the hex HMAC-SHA256 of `message`."""
    return hmac.new(secret.encode(), message, "sha256").hexdigest()


async def deliver(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    """POST `body` to `url`; return the status and the start of the answer."""
    try:
        return await asyncio.to_thread(_post, url, body, headers)
    except (OSError, http.client.HTTPException) as error:
        raise CallbackError(f"{url} did not take the callback: {error}") from error


def _post(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname is None:
        raise CallbackError(f"{url} is not an http:// address")
    connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=_TIMEOUT_S)
    try:
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", path or "/", body=body, headers=headers)
        response = connection.getresponse()
        return response.status, response.read(2_000).decode(errors="replace")
    finally:
        connection.close()
