"""PagerDuty's Events API v2.

PagerDuty's own client retries a 429 for ever in a blocking sleep; here an event is one POST, and
the outbox tries again. The same dedup_key is the same PagerDuty alert, so a repeat is harmless.
"""

from typing import Any, Literal

import httpx2

from abops.clients.notify.receipt import (
    TIMEOUT_S,
    NotAcceptedError,
    seconds,
    trusts_environment,
)

EventAction = Literal["trigger", "acknowledge", "resolve"]
_ACCEPTED, _INVALID, _RATE_LIMITED, _SERVER_ERROR = 202, 400, 429, 500


class PagerDuty:
    """Sends events for one routing key."""

    def __init__(self, routing_key: str, *, url: str) -> None:
        self._routing_key = routing_key
        self._url = url
        self._client = httpx2.AsyncClient(timeout=TIMEOUT_S, trust_env=trusts_environment(url))

    async def send(
        self,
        action: EventAction,
        dedup_key: str,
        *,
        payload: dict[str, Any] | None = None,
        links: tuple[dict[str, str], ...] = (),
    ) -> str:
        """Send one event; return the key under which PagerDuty keeps it."""
        event: dict[str, Any] = {
            "routing_key": self._routing_key,
            "event_action": action,
            "dedup_key": dedup_key,
        }
        if payload is not None:
            event |= {"payload": payload, "client": "AnalyticBot Ops", "links": list(links)}
        try:
            response = await self._client.post(self._url, json=event)
        except httpx2.HTTPError as error:
            raise NotAcceptedError(f"PagerDuty did not answer: {type(error).__name__}") from error
        if response.status_code != _ACCEPTED:
            raise _refused(response)
        return dedup_key

    async def reach(self) -> str:
        """See whether somebody answers there. Any event would page a person, so none is sent."""
        try:
            response = await self._client.head(self._url)
        except httpx2.HTTPError as error:
            raise NotAcceptedError(f"PagerDuty did not answer: {type(error).__name__}") from error
        if response.status_code >= _SERVER_ERROR:
            raise _refused(response)
        return f"answers with {response.status_code}; the key is not tested"

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _refused(response: httpx2.Response) -> NotAcceptedError:
    status = response.status_code
    final = _INVALID <= status < _SERVER_ERROR and status != _RATE_LIMITED
    return NotAcceptedError(
        f"PagerDuty refused: {status} {response.text[:200]}",
        final=final,
        retry_after_s=seconds(response.headers.get("Retry-After")),
    )
