"""Asking the servers of the local stack for JSON: no proxies, short patience, one error."""

from typing import Any

import httpx2

from abops.kernel.errors import OpsError

TIMEOUT_S = 5.0


class LoopbackError(OpsError):
    """A server of the local stack did not answer as it should."""

    hint = "See whether it runs: `abops stack status`."


class LoopbackStatusError(LoopbackError):
    """A server of the local stack answered with an error: `status` is its HTTP status."""

    status = 0


class Loopback:
    """One server of this machine."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._client = httpx2.Client(timeout=TIMEOUT_S, trust_env=False)

    def get(self, path: str, **parameters: str) -> Any:  # noqa: ANN401 - JSON
        """Return the document at `path`."""
        return self._ask("GET", path, params=parameters)

    def post(self, path: str, document: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        """Send a document, and return the answer."""
        return self._ask("POST", path, json=document)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _ask(self, method: str, path: str, **values: Any) -> Any:  # noqa: ANN401 - JSON
        try:
            response = self._client.request(method, self._url + path, **values)
            response.raise_for_status()
            return response.json()
        except httpx2.HTTPStatusError as error:
            answer = error.response
            failed = LoopbackStatusError(f"{self._url}{path} answered {answer.status_code}")
            failed.status = answer.status_code
            raise failed from error
        except (httpx2.HTTPError, ValueError) as error:
            raise LoopbackError(f"{self._url}{path}: {error}") from error
