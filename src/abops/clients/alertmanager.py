"""Alertmanager's API v2: reading its alerts and giving it some."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

import httpx2
import msgspec
from msgspec import Meta, Struct, field

from abops.clients.notify.receipt import trusts_environment
from abops.kernel.errors import OpsError

TIMEOUT_S = 10.0


class AlertmanagerUnreachableError(OpsError):
    """Alertmanager did not answer as it should."""

    hint = "See whether it runs: `abops stack status`, or its page /#/status."


class _Status(Struct, frozen=True):
    state: Literal["unprocessed", "active", "suppressed"]


class ListedAlert(Struct, frozen=True):
    """An alert in Alertmanager's list."""

    labels: dict[str, str]
    starts_at: Annotated[datetime, Meta(tz=True)] = field(name="startsAt")
    status: _Status
    annotations: dict[str, str] = {}
    generator_url: str = field(name="generatorURL", default="")

    @property
    def active(self) -> bool:
        """Whether people would be told: it is neither silenced nor inhibited."""
        return self.status.state != "suppressed"


_listed = msgspec.json.Decoder(tuple[ListedAlert, ...])


class Alertmanager:
    """One Alertmanager."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._client = httpx2.AsyncClient(
            timeout=TIMEOUT_S, trust_env=trusts_environment(self._url)
        )

    async def alerts(self) -> tuple[ListedAlert, ...]:
        """Return what fires, silenced and inhibited alerts included."""
        response = await self._request("GET")
        try:
            return _listed.decode(response.content)
        except msgspec.DecodeError as error:
            raise AlertmanagerUnreachableError(
                f"{self._url} answered what is not a list of alerts: {error}"
            ) from error

    async def put(
        self,
        labels: Mapping[str, str],
        annotations: Mapping[str, str],
        *,
        starts_at: datetime,
        ends_at: datetime,
    ) -> None:
        """Give it one alert that fires until `ends_at`; an end in the past resolves it."""
        alert = {
            "labels": dict(labels),
            "annotations": dict(annotations),
            "startsAt": starts_at.isoformat(),
            "endsAt": ends_at.isoformat(),
        }
        await self._request("POST", msgspec.json.encode([alert]))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _request(self, method: str, content: bytes | None = None) -> httpx2.Response:
        url = f"{self._url}/api/v2/alerts"
        try:
            response = await self._client.request(
                method, url, content=content, headers={"Content-Type": "application/json"}
            )
            response.raise_for_status()
        except httpx2.HTTPStatusError as error:
            raise AlertmanagerUnreachableError(
                f"{url} answered {error.response.status_code}: {error.response.text[:200]}"
            ) from error
        except httpx2.HTTPError as error:
            raise AlertmanagerUnreachableError(f"{url} did not answer: {error}") from error
        return response
