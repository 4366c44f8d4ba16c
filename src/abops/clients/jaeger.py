"""Jaeger's query API, version 3: services, operations, and traces as OTLP in JSON.

Three things to know of it. A search needs a service, a time and a number, whatever the
documentation calls optional; what is found comes in no order. Nothing found is answered with
404, as a trace that is not there is. And it cannot filter by an attribute, nor by failure.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from abops.clients.loopback import LoopbackError

TIMEOUT_S = 10.0
NOT_FOUND = 404

Answer = dict[str, Any]


class TraceStoreError(LoopbackError):
    """Jaeger did not answer as it should."""

    hint = "See whether it runs: `abops stack status jaeger`."


class Jaeger:
    """One Jaeger. Its methods may be called from several threads."""

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._url = url.rstrip("/")
        self._client = httpx2.Client(timeout=timeout_s, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def services(self) -> tuple[str, ...]:
        """Return the names of services that ever sent a span, in the order of the alphabet."""
        return tuple(sorted((self._get("/api/v3/services") or {}).get("services") or ()))

    def operations(self, service: str) -> tuple[str, ...]:
        """Return the names of a service's spans."""
        answer = self._get("/api/v3/operations", service=service) or {}
        return tuple(sorted({entry["name"] for entry in answer.get("operations") or ()}))

    def has_spans(self, service: str, since: datetime, until: datetime) -> bool:
        """Tell whether the service sent a span between two moments."""
        found = self.search(service, since, until, limit=1)
        return bool(found.get("result", {}).get("resourceSpans"))

    def calls(self, since: datetime, until: datetime) -> tuple[tuple[str, str], ...]:
        """Return caller and callee of every call between services; a service's own are left out.

        The older API: version 3 has none for it.
        """
        answer = self._get(
            "/api/dependencies",
            endTs=str(int(until.timestamp() * 1000)),
            lookback=str(int((until - since).total_seconds() * 1000)),
        )
        made = (answer or {}).get("data") or ()
        pairs = ((str(call["parent"]), str(call["child"])) for call in made)
        return tuple(sorted(pair for pair in pairs if pair[0] != pair[1]))

    def search(  # noqa: PLR0913 - what can be asked for
        self,
        service: str,
        since: datetime,
        until: datetime,
        *,
        limit: int,
        operation: str = "",
        minimum: timedelta | None = None,
    ) -> Answer:
        """Return whole traces with a span of this service between two moments.

        Args:
            service: Name of the service.
            since: Start of the time.
            until: End of the time.
            limit: At most so many traces.
            operation: Name of the span; empty: any.
            minimum: How long a span of them took, at least; the trace may have taken longer.
        """
        parameters = {
            "query.service_name": service,
            "query.start_time_min": _moment(since),
            "query.start_time_max": _moment(until),
            "query.num_traces": str(limit),
        }
        if operation:
            parameters["query.operation_name"] = operation
        if minimum is not None:
            parameters["query.duration_min"] = f"{round(minimum.total_seconds() * 1e6)}us"
        return self._get("/api/v3/traces", **parameters) or {}

    def trace(self, trace_id: str) -> Answer | None:
        """Return a trace by its 32 hexadecimal digits, or None when it is not kept."""
        return self._get(f"/api/v3/traces/{trace_id}")

    def _get(self, path: str, **parameters: str) -> Answer | None:
        try:
            response = self._client.get(self._url + path, params=parameters)
            if response.status_code == NOT_FOUND:
                return None
            response.raise_for_status()
            answer = response.json()
        except (httpx2.HTTPError, ValueError) as error:
            raise TraceStoreError(f"Jaeger at {self._url}{path}: {error}") from error
        if not isinstance(answer, dict):
            raise TraceStoreError(f"Jaeger at {self._url}{path}: an answer that is no object")
        return answer


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
