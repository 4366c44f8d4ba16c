"""Grafana's HTTP API: is it well, which boards has it, what does its data source say."""

from typing import Any

import httpx2

from abops.kernel.errors import OpsError

TIMEOUT_S = 10.0


class GrafanaError(OpsError):
    """Grafana did not answer as it should."""

    hint = "Check the address, and GRAFANA_TOKEN: a token of a service account that may view."


class Grafana:
    """One Grafana. The token is sent as a header and appears nowhere else."""

    def __init__(self, url: str, token: str | None = None) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._url = url.rstrip("/")
        self._client = httpx2.Client(timeout=TIMEOUT_S, headers=headers)

    def health(self) -> str:
        """Return Grafana's version. Raises GrafanaError when its database is not well."""
        found = self._ask("GET", "/api/health")
        if found.get("database") != "ok":
            raise GrafanaError(f"{self._url}: its database is {found.get('database')!r}")
        return str(found.get("version", ""))

    def board_uids(self) -> set[str]:
        """Return the uids of all boards."""
        found = self._ask("GET", "/api/search", params={"type": "dash-db", "limit": "5000"})
        return {str(board["uid"]) for board in found}

    def query(self, expr: str, source: str = "prometheus") -> int:
        """Return how many series an expression has, asked through the data source."""
        question = {
            "refId": "A",
            "expr": expr,
            "instant": True,
            "range": False,
            "datasource": {"type": "prometheus", "uid": source},
        }
        document = {"queries": [question], "from": "now-5m", "to": "now"}
        answer = self._ask("POST", "/api/ds/query", json=document)["results"]["A"]
        if "error" in answer:
            raise GrafanaError(f"{self._url}: {answer['error']}")
        return len(answer.get("frames", []))

    def _ask(self, method: str, path: str, **values: Any) -> Any:  # noqa: ANN401 - JSON
        try:
            response = self._client.request(method, self._url + path, **values)
            response.raise_for_status()
            return response.json()
        except httpx2.HTTPStatusError as error:
            status = error.response.status_code
            raise GrafanaError(f"{self._url}{path} answered {status}") from error
        except (httpx2.HTTPError, ValueError) as error:
            raise GrafanaError(f"{self._url}{path}: {error}") from error
