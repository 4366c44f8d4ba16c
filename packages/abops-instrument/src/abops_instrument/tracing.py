"""Which work becomes a span, and how it is named in the trace.

One request in ten is sampled, or what the caller decided. A request that was not sampled and
then fails or is slow is exactly the one somebody will look for: it is sent afterwards, as a
**late span** with its true trace id, span id and start time. For that the ids of every request
are drawn before it runs, and the sampler lets pass what carries the attribute `abops.late`.
"""

import os
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)
from prometheus_client import REGISTRY, CollectorRegistry

from abops_instrument.export import otlp_exporter
from abops_instrument.propagation import RemoteSpan
from abops_instrument.sampling import LATE, GivenIds, LateSampler
from abops_instrument.span_queue import SpanQueue

SAMPLE_RATIO = 0.10
_LOW_64 = (1 << 64) - 1
_NOT_SAMPLED = TraceFlags(TraceFlags.DEFAULT)


class Tracing:
    """The tracer of one process."""

    def __init__(
        self,
        resource: Mapping[str, str] | None = None,
        *,
        sample_ratio: float = SAMPLE_RATIO,
        exporter: SpanExporter | None = None,
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        self._ids = GivenIds()
        self._bound = TraceIdRatioBased.get_bound_for_rate(sample_ratio)
        self.provider = TracerProvider(
            sampler=LateSampler(ParentBased(TraceIdRatioBased(sample_ratio))),
            resource=Resource.create(dict(resource or {})),
            id_generator=self._ids,
            span_limits=SpanLimits(max_span_attribute_length=1_024),
        )
        if exporter is not None:
            self.provider.add_span_processor(SpanQueue(exporter, registry=registry))
        self.tracer: Tracer = self.provider.get_tracer("abops_instrument")

    def draw(self, remote: RemoteSpan | None) -> tuple[int, int, bool]:
        """Return trace id, span id and whether the work that begins now is sampled."""
        span_id = random.getrandbits(64) or 1
        if remote is not None:
            return remote.trace_id, span_id, remote.is_sampled
        trace_id = random.getrandbits(128) or 1
        return trace_id, span_id, trace_id & _LOW_64 < self._bound

    def start(  # noqa: PLR0913 - what a span is
        self,
        name: str,
        kind: SpanKind,
        *,
        trace_id: int,
        span_id: int,
        remote: RemoteSpan | None,
        start_ns: int,
        attributes: Mapping[str, str | int | bool] | None = None,
    ) -> Span:
        """Start a span with ids that were drawn before, as the caller's child if there is one."""
        context = (
            Context()
            if remote is None
            else set_span_in_context(NonRecordingSpan(remote.context()), Context())
        )
        self._ids.give(trace_id, span_id)
        return self.tracer.start_span(
            name, context, kind, attributes=attributes, start_time=start_ns
        )

    def emit_late(  # noqa: PLR0913 - what a span is
        self,
        name: str,
        kind: SpanKind,
        *,
        trace_id: int,
        span_id: int,
        remote: RemoteSpan | None,
        start_ns: int,
        attributes: Mapping[str, str | int | bool],
        error: BaseException | None = None,
        failed: bool = False,
    ) -> None:
        """Send the span of work that was not sampled, after it failed or was slow."""
        span = self.start(
            name,
            kind,
            trace_id=trace_id,
            span_id=span_id,
            remote=remote,
            start_ns=start_ns,
            attributes={**attributes, LATE: True},
        )
        finish(span, error=error, failed=failed)

    def flush(self) -> bool:
        """Send what waits; say if all was sent within two seconds."""
        return self.provider.force_flush(2_000)

    def shutdown(self) -> None:
        """Send what waits and stop."""
        self.provider.shutdown()


def finish(span: Span, *, error: BaseException | None = None, failed: bool = False) -> None:
    """End `span`, with the reason when the work failed. Messages may hold secrets: left out."""
    if error is not None:
        span.set_attribute("error.type", type(error).__name__)
    if failed or error is not None:
        span.set_status(Status(StatusCode.ERROR))
    span.end()


def unsampled(trace_id: int, span_id: int) -> Span:
    """Return a span that records nothing and only carries its ids to logs and callees."""
    return NonRecordingSpan(
        SpanContext(trace_id, span_id, is_remote=False, trace_flags=_NOT_SAMPLED)
    )


@contextmanager
def client_span(name: str, **attributes: str | int) -> Iterator[Span]:
    """Span a call to another system, when the work it belongs to is sampled; else do nothing.

    Attribute names are given with `__` for the dot: `client_span("SELECT", db__system__name=...)`.
    """
    if not trace.get_current_span().is_recording():
        yield trace.INVALID_SPAN
        return
    named = {key.replace("__", "."): value for key, value in attributes.items()}
    with current().tracer.start_as_current_span(
        name, kind=SpanKind.CLIENT, attributes=named, record_exception=False
    ) as span:
        try:
            yield span
        except BaseException as error:
            span.set_attribute("error.type", type(error).__name__)
            raise


_current: Tracing | None = None


def current() -> Tracing:
    """Return the process's tracing; before `setup` one that samples and sends nothing."""
    global _current  # noqa: PLW0603 - one per process, as the tracer provider is
    if _current is None:
        _current = Tracing(sample_ratio=0.0)
    return _current


def configure_tracing(
    service: str,
    *,
    version: str,
    environment: str,
    otlp_endpoint: str | None = None,
    sample_ratio: float = SAMPLE_RATIO,
) -> Tracing:
    """Trace this process and send its spans to `otlp_endpoint` (base URL, OTLP over HTTP).

    None takes OTEL_EXPORTER_OTLP_ENDPOINT; when that is empty too, ids are drawn and carried
    but no span is sent. OpenTelemetry's global provider stays unset on purpose: FastAPI (from
    0.163) and other libraries begin to trace on their own when they find one, which doubles
    every server span and costs more than the whole middleware.
    """
    global _current  # noqa: PLW0603 - one per process, as the tracer provider is
    endpoint = otlp_endpoint or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    resource = {
        "service.name": service,
        "service.version": version,
        "deployment.environment.name": environment,
    }
    exporter = otlp_exporter(endpoint) if endpoint else None
    _current = Tracing(resource, sample_ratio=sample_ratio, exporter=exporter)
    return _current
