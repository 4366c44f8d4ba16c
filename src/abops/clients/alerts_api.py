"""The alert service's own API, for the command line and for whoever waits for an incident.

Answers are given as plain documents: what they mean is known to those who ask.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx2

from abops.clients.notify.receipt import trusts_environment
from abops.kernel.errors import OpsError

TIMEOUT_S = 10.0
TRAIN_TIMEOUT_S = 120.0


class AlertServiceError(OpsError):
    """The alert service did not do what it was asked."""

    hint = "See its log: `abops stack logs alerts`."


class AlertServiceUnreachableError(AlertServiceError):
    """The alert service does not answer."""

    hint = "Start it with `make up`, or name its address: --service http://HOST:PORT."


class AlertsApi:
    """One alert service."""

    def __init__(self, url: str, *, token: str | None = None) -> None:
        self._url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx2.Client(
            timeout=TIMEOUT_S, headers=headers, trust_env=trusts_environment(self._url)
        )

    def incidents(
        self, *, state: str | None = None, limit: int = 100, since: int = 0
    ) -> list[dict[str, Any]]:
        """Return incidents: unresolved ones first, then the newest."""
        parameters = {"limit": str(limit), "since": str(since), "state": state or ""}
        found: list[dict[str, Any]] = self._ask("GET", "/v1/incidents", params=parameters)
        return found

    def weekly(self, name: str) -> dict[str, str]:
        """Return the report of the last seven days: subject, text, html."""
        found: dict[str, str] = self._ask("GET", "/v1/reports/weekly", params={"name": name})
        return found

    def fatigue(self, days: int) -> dict[str, Any]:
        """Return what the alerts of the last days cost people, and what to change."""
        found: dict[str, Any] = self._ask("GET", "/v1/reports/fatigue", params={"days": days})
        return found

    def train(self) -> dict[str, Any]:
        """Have the score fitted to all labels; return what came of it."""
        found: dict[str, Any] = self._ask("POST", "/v1/train", timeout=TRAIN_TIMEOUT_S)
        return found

    def incident(self, number: int) -> dict[str, Any]:
        """Return one incident with alerts, timeline and deliveries."""
        found: dict[str, Any] = self._ask("GET", f"/v1/incidents/{number}")
        return found

    def ack(self, number: int, *, by: str) -> dict[str, Any]:
        """Record who takes care of it."""
        changed: dict[str, Any] = self._ask("POST", f"/v1/incidents/{number}/ack", json={"by": by})
        return changed

    def unack(self, number: int, *, by: str) -> dict[str, Any]:
        """Record that nobody takes care of it any more."""
        path = f"/v1/incidents/{number}/ack"
        changed: dict[str, Any] = self._ask("DELETE", path, params={"by": by})
        return changed

    def act(self, number: int, action: str, **said: object) -> dict[str, Any]:
        """Resolve, assign, note, or call it noise."""
        path = f"/v1/incidents/{number}/{action}"
        changed: dict[str, Any] = self._ask("POST", path, json=said)
        return changed

    def merge(self, number: int, into: int, *, by: str) -> dict[str, Any]:
        """Make one incident part of another; return that one."""
        path = f"/v1/incidents/{number}/merge"
        changed: dict[str, Any] = self._ask("POST", path, json={"into": into, "by": by})
        return changed

    def split(self, number: int, alerts: Sequence[str], *, by: str) -> dict[str, Any]:
        """Make a new incident of some alerts of one; return it."""
        path = f"/v1/incidents/{number}/split"
        changed: dict[str, Any] = self._ask("POST", path, json={"alerts": list(alerts), "by": by})
        return changed

    def channels(self) -> list[dict[str, Any]]:
        """Return how each channel stands."""
        found: list[dict[str, Any]] = self._ask("GET", "/v1/channels")
        return found

    def reconcile(self) -> dict[str, Any]:
        """Have notes compared with Alertmanager; return what came of it."""
        found: dict[str, Any] = self._ask("POST", "/v1/reconcile")
        return found

    def silences(self) -> list[dict[str, Any]]:
        """Return the silences that have not ended."""
        found: list[dict[str, Any]] = self._ask("GET", "/v1/silences")
        return found

    def add_silence(self, silence: Mapping[str, object]) -> dict[str, Any]:
        """Silence what matches; return its number as `id`."""
        made: dict[str, Any] = self._ask("POST", "/v1/silences", json=dict(silence))
        return made

    def end_silence(self, number: int, *, by: str) -> None:
        """End a silence now."""
        self._ask("DELETE", f"/v1/silences/{number}", params={"by": by})

    def windows(self) -> list[dict[str, Any]]:
        """Return the maintenance windows that are open or may yet open."""
        found: list[dict[str, Any]] = self._ask("GET", "/v1/windows")
        return found

    def add_window(self, window: Mapping[str, object]) -> dict[str, Any]:
        """Plan a window; return its number as `id`."""
        made: dict[str, Any] = self._ask("POST", "/v1/windows", json=dict(window))
        return made

    def end_window(self, number: int, *, by: str) -> None:
        """End a window and its repetitions now."""
        self._ask("DELETE", f"/v1/windows/{number}", params={"by": by})

    def _ask(self, method: str, path: str, **values: Any) -> Any:  # noqa: ANN401 - JSON
        try:
            response = self._client.request(method, self._url + path, **values)
            answer = response.json()
        except httpx2.HTTPError as error:
            raise AlertServiceUnreachableError(f"{self._url} did not answer: {error}") from error
        except ValueError as error:
            raise AlertServiceError(f"{self._url}{path} did not answer with JSON") from error
        if response.is_success:
            return answer
        said = answer if isinstance(answer, dict) else {}
        raise AlertServiceError(
            str(said.get("error", f"{self._url}{path} answered {response.status_code}")),
            hint=said.get("hint"),
        )
