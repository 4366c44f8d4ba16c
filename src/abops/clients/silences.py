"""Alertmanager's silences: made for a while, and ended."""

from datetime import datetime

import httpx2

from abops.kernel.errors import OpsError

TIMEOUT_S = 5.0


class SilenceError(OpsError):
    """Alertmanager did not take a silence."""

    hint = "See whether it runs: `abops stack status`."


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
