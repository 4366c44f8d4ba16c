"""Alertmanager's silences: made for a while, and ended."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

import httpx2
import msgspec
from msgspec import Meta, Struct, field

from abops.kernel.errors import OpsError

TIMEOUT_S = 5.0


class SilenceError(OpsError):
    """Alertmanager did not take a silence."""

    hint = "See whether it runs: `abops stack status`."


class SilenceMatcher(Struct, frozen=True, rename="camel"):
    """One condition on one label, in Alertmanager's form."""

    name: str
    value: str
    is_regex: bool = False
    is_equal: bool = True


class _Status(Struct, frozen=True):
    state: Literal["active", "pending", "expired"]


class ListedSilence(Struct, frozen=True):
    """A silence in Alertmanager's list."""

    id: str
    matchers: tuple[SilenceMatcher, ...]
    created_by: str = field(name="createdBy")
    comment: str
    ends_at: Annotated[datetime, Meta(tz=True)] = field(name="endsAt")
    status: _Status

    @property
    def is_over(self) -> bool:
        """Whether it silences nothing any more."""
        return self.status.state == "expired"


_listed = msgspec.json.Decoder(tuple[ListedSilence, ...])


class Silences:
    """The silences of one Alertmanager of this machine."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._client = httpx2.Client(timeout=TIMEOUT_S, trust_env=False)

    def all_but(self, alerts: tuple[str, ...], *, since: datetime, until: datetime) -> str:
        """Silence every alert but those of these names; return the silence's id."""
        silence = {
            "matchers": [
                {
                    "name": "alertname",
                    "value": "|".join(alerts),
                    "isRegex": True,
                    "isEqual": False,
                }
            ],
            "startsAt": since.isoformat(),
            "endsAt": until.isoformat(),
            "createdBy": "abops demo",
            "comment": "The demonstration shows these alerts only; what follows them is silent.",
        }
        answer = self._ask("POST", "/api/v2/silences", silence)
        return str(answer.json()["silenceID"])

    def listed(self, created_by: str) -> list[ListedSilence]:
        """Return the silences that somebody made and that are not over."""
        answer = self._ask("GET", "/api/v2/silences")
        try:
            found = _listed.decode(answer.content)
        except msgspec.DecodeError as error:
            raise SilenceError(f"{self._url} answered what is no list of silences") from error
        return [one for one in found if one.created_by == created_by and not one.is_over]

    def make(
        self,
        matchers: Sequence[SilenceMatcher],
        *,
        since: datetime,
        until: datetime,
        by: str,
        comment: str,
    ) -> str:
        """Silence what matches; return the silence's id."""
        silence = {
            "matchers": msgspec.to_builtins(tuple(matchers)),
            "startsAt": since.isoformat(),
            "endsAt": until.isoformat(),
            "createdBy": by,
            "comment": comment,
        }
        return str(self._ask("POST", "/api/v2/silences", silence).json()["silenceID"])

    def end(self, silence: str) -> None:
        """End a silence now."""
        self._ask("DELETE", f"/api/v2/silence/{silence}")

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _ask(self, method: str, path: str, document: object = None) -> httpx2.Response:
        try:
            response = self._client.request(method, self._url + path, json=document)
            response.raise_for_status()
        except httpx2.HTTPError as error:
            raise SilenceError(f"{self._url}{path}: {error}") from error
        return response
