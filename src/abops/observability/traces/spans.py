"""Spans out of Jaeger's answers, which are OTLP written as JSON.

What services send is never quite what the standard says: numbers come as strings, a span comes
twice, an end lies before its start. Whoever reads a trace is in the middle of something else,
so nothing of this refuses a whole trace.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

LATE: Final = "abops.late"
"""Marks a span that was sent after its work, because that failed or was slow."""
FAILED: Final = 2
ENVIRONMENT: Final = "deployment.environment.name"
NO_NAME: Final = "(no name)"
_KINDS: Final = {1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}
_BY_WORD: Final = {f"SPAN_KIND_{name.upper()}": name for name in _KINDS.values()}
_PEERS: Final = ("db.system.name", "db.system", "peer.service", "rpc.system", "server.address")
_ALREADY_SAID: Final = frozenset({LATE})

Pairs = tuple[tuple[str, str], ...]


class Event(Struct, frozen=True):
    """Something that happened while a span lasted."""

    at_ns: int
    name: str
    attributes: Pairs


class Span(Struct, frozen=True):
    """One piece of work of one process."""

    trace_id: str
    id: str
    parent_id: str
    service: str
    name: str
    kind: str
    start_ns: int
    end_ns: int
    failed: bool = False
    message: str = ""
    """What the process said about the failure."""
    is_late: bool = False
    environment: str = ""
    attributes: Pairs = ()
    resource: Pairs = ()
    events: tuple[Event, ...] = ()

    @property
    def duration_ns(self) -> int:
        """Return how long it took."""
        return self.end_ns - self.start_ns

    @property
    def peer(self) -> str:
        """Return the system that a call went to, as the caller names it; empty for other work."""
        if self.kind != "client":
            return ""
        known = dict(self.attributes)
        return next((known[name] for name in _PEERS if known.get(name)), "")


def read_spans(answer: Mapping[str, Any]) -> tuple[Span, ...]:
    """Return the spans of an answer of /api/v3/traces; of two with one id the first."""
    document = answer.get("result") or answer
    seen: dict[tuple[str, str], Span] = {}
    for entry in _list(document, "resourceSpans"):
        for span in _of_resource(entry):
            seen.setdefault((span.trace_id, span.id), span)
    return tuple(seen.values())


def by_trace(spans: tuple[Span, ...]) -> dict[str, tuple[Span, ...]]:
    """Return the spans of each trace by its id."""
    found: dict[str, list[Span]] = {}
    for span in spans:
        found.setdefault(span.trace_id, []).append(span)
    return {trace: tuple(members) for trace, members in found.items()}


def _of_resource(entry: Mapping[str, Any]) -> Iterator[Span]:
    resource = _pairs(entry.get("resource") or {})
    about = dict(resource)
    service = about.get("service.name", "") or "unknown"
    environment = about.get(ENVIRONMENT, "") or about.get("deployment.environment", "")
    for scope in _list(entry, "scopeSpans"):
        for raw in _list(scope, "spans"):
            if raw.get("traceId") and raw.get("spanId"):
                yield _span(raw, service, environment, resource)


def _span(raw: Mapping[str, Any], service: str, environment: str, resource: Pairs) -> Span:
    attributes = _pairs(raw)
    status = raw.get("status") or {}
    start = _number(raw.get("startTimeUnixNano"))
    return Span(
        trace_id=str(raw["traceId"]).lower(),
        id=str(raw["spanId"]).lower(),
        parent_id=_parent(raw),
        service=service,
        name=str(raw.get("name") or NO_NAME),
        kind=_kind(raw.get("kind")),
        start_ns=start,
        end_ns=max(_number(raw.get("endTimeUnixNano")), start),
        failed=status.get("code") in {FAILED, "STATUS_CODE_ERROR"},
        message=str(status.get("message") or ""),
        is_late=dict(attributes).get(LATE) == "true",
        environment=environment,
        attributes=tuple(pair for pair in attributes if pair[0] not in _ALREADY_SAID),
        resource=resource,
        events=tuple(
            Event(_number(e.get("timeUnixNano")), str(e.get("name") or NO_NAME), _pairs(e))
            for e in _list(raw, "events")
        ),
    )


def _parent(raw: Mapping[str, Any]) -> str:
    parent = str(raw.get("parentSpanId") or "").lower()
    return parent if parent.strip("0") else ""


def _kind(raw: object) -> str:
    if isinstance(raw, str):
        return _BY_WORD.get(raw, "internal")
    return _KINDS.get(raw, "internal") if isinstance(raw, int) else "internal"


def _pairs(holder: Mapping[str, Any]) -> Pairs:
    return tuple(
        (str(entry.get("key", "")), _text(entry.get("value") or {}))
        for entry in _list(holder, "attributes")
    )


def _text(value: Mapping[str, Any]) -> str:
    """Return an OTLP value as people write it."""
    for kind, content in value.items():
        if kind == "boolValue":
            return "true" if content else "false"
        if kind == "arrayValue":
            return ", ".join(_text(item) for item in _list(content, "values"))
        if kind == "kvlistValue":
            pairs = (
                (str(i.get("key", "")), i.get("value") or {}) for i in _list(content, "values")
            )
            return ", ".join(f"{key}={_text(inner)}" for key, inner in pairs)
        return str(content)
    return ""


def _number(raw: object) -> int:
    try:
        return int(str(raw))
    except ValueError:
        return 0


def _list(holder: Mapping[str, Any], name: str) -> list[Any]:
    found = holder.get(name)
    return found if isinstance(found, list) else []
