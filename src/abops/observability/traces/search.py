"""What is asked for among traces, and one line about each that is found."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec import Struct

from abops.observability.traces.layout import reach
from abops.observability.traces.spans import Span, by_trace
from abops.observability.traces.tree import grow


class TraceQuery(Struct, frozen=True):
    """What somebody looks for."""

    since: datetime
    until: datetime
    service: str = ""
    operation: str = ""
    minimum: timedelta | None = None
    failed_only: bool = False
    environment: str = ""
    """Empty: any."""
    limit: int = 50


class FoundTrace(Struct, frozen=True):
    """One line about a trace."""

    id: str
    start_ns: int
    duration_ns: int
    service: str
    operation: str
    """Of the root, or of the first span that was kept."""
    has_root: bool
    reach: tuple[str, ...]
    spans: int
    failed: int
    late: int
    environment: str


class FoundTraces(Struct, frozen=True):
    """The answer to a query, the newest first."""

    traces: tuple[FoundTrace, ...]
    looked_at: int
    """Traces that were read to find these; what Jaeger cannot filter by is filtered here."""
    is_partial: bool
    """Whether there may be older ones, which were not read."""
    services: tuple[str, ...]
    operations: tuple[str, ...]
    took_ms: int


def summarize(spans: Iterable[Span]) -> tuple[FoundTrace, ...]:
    """Return one line about each trace."""
    return tuple(_line(members) for members in by_trace(tuple(spans)).values())


def select(found: Iterable[FoundTrace], query: TraceQuery) -> tuple[FoundTrace, ...]:
    """Return the traces that match, the newest first, one line about each."""
    known = {trace.id: trace for trace in found if _matches(trace, query)}
    newest = sorted(known.values(), key=lambda trace: (trace.start_ns, trace.id), reverse=True)
    return tuple(newest[: query.limit])


def _line(spans: tuple[Span, ...]) -> FoundTrace:
    tree = grow(spans)
    first = tree.first
    return FoundTrace(
        id=first.trace_id,
        start_ns=tree.start_ns,
        duration_ns=tree.duration_ns,
        service=first.service,
        operation=first.name,
        has_root=not first.parent_id,
        reach=reach(tree),
        spans=len(spans),
        failed=sum(span.failed for span in spans),
        late=sum(span.is_late for span in spans),
        environment=next((span.environment for span in spans if span.environment), ""),
    )


def _matches(trace: FoundTrace, query: TraceQuery) -> bool:
    if query.failed_only and not trace.failed:
        return False
    if query.minimum and trace.duration_ns < query.minimum.total_seconds() * 1e9:
        return False
    return not query.environment or trace.environment in {"", query.environment}
