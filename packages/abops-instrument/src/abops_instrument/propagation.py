"""The W3C `traceparent` header, read and written by hand.

OpenTelemetry's own propagator takes longer than the rest of the middleware together. What is
read comes from strangers: anything but the exact form starts a new trace.
"""

import re
from typing import NamedTuple

from opentelemetry.trace import SpanContext, TraceFlags, get_current_span

TRACEPARENT = "traceparent"
_SAMPLED = TraceFlags.SAMPLED
_FORM = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


class RemoteSpan(NamedTuple):
    """The caller's span."""

    trace_id: int
    span_id: int
    is_sampled: bool

    def context(self) -> SpanContext:
        """Return it as OpenTelemetry knows it."""
        return SpanContext(
            self.trace_id,
            self.span_id,
            is_remote=True,
            trace_flags=TraceFlags(_SAMPLED if self.is_sampled else 0),
        )


def parse_traceparent(header: str) -> RemoteSpan | None:
    """Return the caller's span, or None when the header is not one."""
    match = _FORM.fullmatch(header)
    if match is None or (match[1] == "00" and match[5] is not None):
        return None
    trace_id, span_id = int(match[2], 16), int(match[3], 16)
    if trace_id == 0 or span_id == 0:
        return None
    return RemoteSpan(trace_id, span_id, bool(int(match[4], 16) & _SAMPLED))


def format_traceparent(context: SpanContext) -> str:
    """Return the header for `context`."""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags & _SAMPLED:02x}"


def current_traceparent() -> str | None:
    """Return the header of the work that is going on here, or None outside of any."""
    context = get_current_span().get_span_context()
    return format_traceparent(context) if context.is_valid else None


def outgoing_headers() -> dict[str, str]:
    """Return what a request to another service carries along."""
    header = current_traceparent()
    return {} if header is None else {TRACEPARENT: header}
