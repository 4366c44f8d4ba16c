"""Which spans are kept, and with which ids.

OpenTelemetry decides at the start of a span. A late span starts after its work has ended, when
the decision is already known, and must carry the ids that logs and callees have seen.
"""

import threading
from collections.abc import Sequence

from opentelemetry.context import Context
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes

LATE = "abops.late"


class LateSampler(Sampler):
    """Decides as `inner` does, and keeps every late span."""

    def __init__(self, inner: Sampler) -> None:
        self._inner = inner

    def should_sample(  # noqa: PLR0913, PLR0917 - OpenTelemetry's signature
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Return the decision for one new span."""
        if attributes is not None and LATE in attributes:
            return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes, trace_state)
        return self._inner.should_sample(
            parent_context, trace_id, name, kind, attributes, links, trace_state
        )

    def get_description(self) -> str:
        """Return the sampler's name."""
        return f"Late{{{self._inner.get_description()}}}"


class GivenIds(RandomIdGenerator):
    """Draws ids at random, unless the next span's were drawn before."""

    def __init__(self) -> None:
        self._next = threading.local()

    def give(self, trace_id: int, span_id: int) -> None:
        """Set the ids of the next span that this thread starts."""
        self._next.trace_id = trace_id
        self._next.span_id = span_id

    def generate_trace_id(self) -> int:
        """Return the id of a new trace."""
        given: int = getattr(self._next, "trace_id", 0)
        return given or super().generate_trace_id()

    def generate_span_id(self) -> int:
        """Return the id of a new span; asked for after the trace's, it ends what was given."""
        given: int = getattr(self._next, "span_id", 0)
        self._next.span_id = self._next.trace_id = 0
        return given or super().generate_span_id()
