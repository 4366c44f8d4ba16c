"""The log store's HTTP interface, as OpenSearch and Elasticsearch both speak it."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx2
from msgspec import Struct

from abops.kernel.errors import OpsError

TIMEOUT_S = 10.0
IDS_AT_ONCE = 5_000
CONFLICT = 409
CREATED = 201


class LogStoreError(OpsError):
    """The log store did not answer as it should."""

    hint = "See whether it runs: `abops stack status`; start it: `abops stack up --logs`."


class LogStoreRefusedError(LogStoreError):
    """The log store refused a request."""

    hint = "The text names the reason; `abops stack logs opensearch` may tell more."


class Document(Struct, frozen=True):
    """One document to send: where it goes, its identity, its content."""

    stream: str
    id: str
    content: dict[str, Any]


class Refusal(Struct, frozen=True):
    """A document that was not taken, and why."""

    id: str
    status: int
    reason: str


class IndexStat(Struct, frozen=True):
    """One index of a stream."""

    name: str
    stream: str
    created: datetime
    size_bytes: int
    documents: int
    writes: bool


class OpenSearch:
    """One log store. Its methods may be called from several threads."""

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._url = url.rstrip("/")
        self._client = httpx2.Client(timeout=timeout_s, trust_env=False)

    def put(self, path: str, document: dict[str, Any]) -> None:
        """Store a pipeline, a template, a setting."""
        self._ask("PUT", path, json=document)

    def health(self) -> str:
        """Return green, yellow or red."""
        return str(self._ask("GET", "/_cluster/health")["status"])

    def disk_used_ratio(self) -> float:
        """Return how full the fullest disk of the store is, from 0 to 1."""
        nodes = self._ask("GET", "/_nodes/stats/fs")["nodes"].values()
        totals = [node["fs"]["total"] for node in nodes]
        return max((1 - t["available_in_bytes"] / t["total_in_bytes"] for t in totals), default=0.0)

    def search(self, streams: Sequence[str], body: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a search; streams that do not exist are empty."""
        path = f"/{','.join(streams)}/_search"
        answer: dict[str, Any] = self._ask("POST", path, params=_TOLERANT, json=body)
        return answer

    def refresh(self, pattern: str) -> None:
        """Let what was sent be found now instead of in a few seconds."""
        self._ask("POST", f"/{pattern}/_refresh", params=_TOLERANT)

    def count(self, streams: Sequence[str]) -> int:
        """Return how many documents the streams hold."""
        path = f"/{','.join(streams)}/_count"
        return int(self._ask("POST", path, params=_TOLERANT)["count"])

    def existing(self, stream: str, ids: Iterable[str]) -> set[str]:
        """Return which of `ids` the stream holds, in whichever of its indices."""
        wanted = list(ids)
        found: set[str] = set()
        for start in range(0, len(wanted), IDS_AT_ONCE):
            part = wanted[start : start + IDS_AT_ONCE]
            body = {"query": {"ids": {"values": part}}, "_source": False, "size": len(part)}
            hits = self.search([stream], body)["hits"]["hits"]
            found.update(hit["_id"] for hit in hits)
        return found

    def create(self, documents: Sequence[Document], *, pipeline: str) -> tuple[Refusal, ...]:
        """Send documents; return those refused. One that is there already counts as taken."""
        lines = []
        for document in documents:
            target = {"_index": document.stream, "_id": document.id}
            lines += [json.dumps({"create": target}), json.dumps(document.content)]
        answer = self._ask(
            "POST",
            "/_bulk",
            params={"pipeline": pipeline},
            content="\n".join([*lines, ""]).encode(),
            headers={"content-type": "application/x-ndjson"},
        )
        items = (item["create"] for item in answer["items"])
        return tuple(
            Refusal(item["_id"], item["status"], _reason(item["error"]))
            for item in items
            if item["status"] not in {CREATED, CONFLICT}
        )

    def indices(self, pattern: str) -> tuple[IndexStat, ...]:
        """Return the indices of the data streams that match."""
        try:
            streams = self._ask("GET", f"/_data_stream/{pattern}")["data_streams"]
        except LogStoreRefusedError:
            return ()  # it says 404 while there is none
        hidden = {"expand_wildcards": "all"}
        dates = self._ask("GET", f"/{pattern}/_settings/index.creation_date", params=hidden)
        stats = self._ask("GET", f"/{pattern}/_stats/docs,store", params=hidden)["indices"]
        found = []
        for stream in streams:
            names = [index["index_name"] for index in stream["indices"]]
            for name in names:
                created = int(dates[name]["settings"]["index"]["creation_date"]) / 1000
                total = stats.get(name, {}).get("total", {})
                found.append(
                    IndexStat(
                        name,
                        stream["name"],
                        datetime.fromtimestamp(created, UTC),
                        total.get("store", {}).get("size_in_bytes", 0),
                        total.get("docs", {}).get("count", 0),
                        name == names[-1],
                    )
                )
        return tuple(found)

    def rollover(self, stream: str) -> str:
        """Let the stream go on in a new index; return its name."""
        return str(self._ask("POST", f"/{stream}/_rollover")["new_index"])

    def delete_index(self, name: str) -> None:
        """Remove an index with its lines."""
        self._ask("DELETE", f"/{name}")

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _ask(self, method: str, path: str, **values: Any) -> Any:  # noqa: ANN401 - JSON
        try:
            response = self._client.request(method, self._url + path, **values)
        except httpx2.HTTPError as error:
            what = "did not answer in time" if isinstance(error, httpx2.TimeoutException) else error
            raise LogStoreError(f"{self._url}: {what}") from error
        try:
            answer = response.json()
        except ValueError as error:
            raise LogStoreError(f"{self._url} is no log store: its answer is no JSON") from error
        if response.is_error:
            reason = _reason(answer.get("error")) if isinstance(answer, dict) else ""
            raise LogStoreRefusedError(f"{method} {path}: {response.status_code} {reason}")
        return answer


_TOLERANT = {"ignore_unavailable": "true", "allow_no_indices": "true"}


def _reason(error: object) -> str:
    """Return why, from the innermost cause that says something."""
    if not isinstance(error, dict):
        return str(error)
    reason = str(error.get("reason", error.get("type", "")))
    cause = error.get("caused_by")
    return (
        f"{reason}: {_reason(cause)}" if isinstance(cause, dict) and "reason" in cause else reason
    )
