"""Looking for traces: Jaeger is asked once for each service, and the answers made one list."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from abops.clients.jaeger import Answer, Jaeger
from abops.kernel.clock import Clock
from abops.observability.traces.layout import Picture, draw
from abops.observability.traces.search import (
    FoundTrace,
    FoundTraces,
    TraceQuery,
    select,
    summarize,
)
from abops.observability.traces.spans import read_spans

AT_ONCE = 3
READ_TO_FILTER = 300
"""Traces of a service that are read when Jaeger cannot do the filtering."""


def find_traces(jaeger: Jaeger, query: TraceQuery, clock: Clock) -> FoundTraces:
    """Return the traces that match. Raises TraceStoreError."""
    began = clock.monotonic()
    services = jaeger.services()
    asked = (query.service,) if query.service else services
    filtered = query.failed_only or query.minimum is not None
    limit = READ_TO_FILTER if filtered else query.limit
    with ThreadPoolExecutor(AT_ONCE) as threads:
        answers = list(
            threads.map(lambda q: _ask(jaeger, query, limit, *q), _questions(query, asked))
        )
    known = {trace.id: trace for found in answers for trace in found}
    return FoundTraces(
        traces=select(known.values(), query),
        looked_at=len(known),
        is_partial=any(len(found) >= limit for found in answers),
        services=services,
        operations=jaeger.operations(query.service) if query.service else (),
        took_ms=round(1000 * (clock.monotonic() - began)),
    )


def _questions(query: TraceQuery, services: tuple[str, ...]) -> Iterator[tuple[str, bool]]:
    """Return for which services to ask, and whether for long spans only."""
    for service in services:
        yield service, False
        if query.minimum is not None:
            # A slow trace has a slow span, or many that were quick, or waited in the queue:
            # the first kind is found however old, the others among the newest.
            yield service, True


def _ask(
    jaeger: Jaeger,
    query: TraceQuery,
    limit: int,
    service: str,
    long_only: bool,  # noqa: FBT001
) -> tuple[FoundTrace, ...]:
    answer: Answer = jaeger.search(
        service,
        query.since,
        query.until,
        limit=limit,
        operation=query.operation,
        minimum=query.minimum if long_only else None,
    )
    return summarize(read_spans(answer))


def picture_of(jaeger: Jaeger, trace_id: str, *, whole: bool = False) -> Picture | None:
    """Return a trace ready to be drawn, or None when Jaeger has none of this id."""
    answer = jaeger.trace(trace_id)
    spans = read_spans(answer) if answer else ()
    return draw(spans, whole=whole) if spans else None
