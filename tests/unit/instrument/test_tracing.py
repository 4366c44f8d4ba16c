import threading
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from prometheus_client import CollectorRegistry

from abops_instrument import tracing
from abops_instrument.propagation import RemoteSpan
from abops_instrument.span_queue import SpanQueue
from abops_instrument.tracing import Tracing
from abops_instrument.work import Work, working


class Stuck(SpanExporter):
    """A collector that does not answer until it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.entered = threading.Event()
        self.taken = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.entered.set()
        self.go.wait(10)
        self.taken += len(spans)
        return SpanExportResult.SUCCESS


def a_process(ratio: float) -> tuple[Tracing, InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    return Tracing(sample_ratio=ratio, exporter=exporter, registry=CollectorRegistry()), exporter


def finished(process: Tracing, exporter: InMemorySpanExporter) -> tuple[ReadableSpan, ...]:
    process.flush()
    return exporter.get_finished_spans()


def test_a_tenth_of_the_traces_is_sampled() -> None:
    process, _ = a_process(0.10)
    sampled = sum(process.draw(None)[2] for _ in range(20_000))
    assert 1_700 < sampled < 2_300


def test_the_caller_decides_for_its_trace() -> None:
    never, _ = a_process(0.0)
    always, _ = a_process(1.0)
    assert never.draw(RemoteSpan(1, 2, is_sampled=True))[2]
    assert not always.draw(RemoteSpan(1, 2, is_sampled=False))[2]


def test_our_draw_agrees_with_opentelemetrys_sampler() -> None:
    process, exporter = a_process(0.5)
    expected = 0
    for _ in range(200):
        work = Work("x", SpanKind.INTERNAL, None, process)
        expected += work.is_sampled
        work.leave()
        work.end("x", {})
    assert expected == len(finished(process, exporter))


@pytest.mark.parametrize("remote", [None, RemoteSpan(0xABC, 0xDEF, is_sampled=False)])
def test_unsampled_work_that_fails_becomes_a_late_span_with_its_own_ids(
    remote: RemoteSpan | None,
) -> None:
    process, exporter = a_process(0.0)
    work = Work("x", SpanKind.SERVER, remote, process)
    work.leave()
    work.end("GET /x", {"http.route": "/x"}, error=KeyError("secret"), failed=True)
    (span,) = finished(process, exporter)
    context = span.context
    assert context is not None
    assert (work.trace_id, work.span_id) == (context.trace_id, context.span_id)
    assert work.start_ns == span.start_time
    assert (None if remote is None else remote.span_id) == (span.parent and span.parent.span_id)
    assert StatusCode.ERROR == span.status.status_code
    assert {"http.route": "/x", "abops.late": True, "error.type": "KeyError"} == dict(
        span.attributes or {}
    )


def test_unsampled_work_that_went_well_leaves_no_span() -> None:
    process, exporter = a_process(0.0)
    work = Work("x", SpanKind.SERVER, None, process)
    work.leave()
    work.end("GET /x", {})
    assert () == finished(process, exporter)


def test_given_ids_are_used_once() -> None:
    process, exporter = a_process(0.0)
    work = Work("x", SpanKind.SERVER, None, process)
    work.leave()
    work.end("x", {}, failed=True)
    process.tracer.start_span("y", attributes={"abops.late": True}).end()
    first, second = finished(process, exporter)
    assert first.context is not None
    assert second.context is not None
    assert first.context.trace_id != second.context.trace_id
    assert first.context.span_id != second.context.span_id


def test_a_missing_collector_costs_spans_and_never_time() -> None:
    stuck, registry = Stuck(), CollectorRegistry()
    queue = SpanQueue(stuck, registry=registry, length=10)
    process = Tracing(sample_ratio=1.0)
    process.provider.add_span_processor(queue)
    process.tracer.start_span("first").end()
    queue._wake.set()  # noqa: SLF001 - do not wait a second for the thread
    assert stuck.entered.wait(5)
    for _ in range(25):
        process.tracer.start_span("x").end()
    dropped = registry.get_sample_value("abops_instrument_spans_total", {"result": "dropped"})
    assert 15 == dropped
    stuck.go.set()
    assert queue.force_flush()
    assert 11 == stuck.taken
    assert 11 == registry.get_sample_value("abops_instrument_spans_total", {"result": "sent"})
    queue.shutdown()


def test_an_exporter_that_breaks_is_counted_and_survived() -> None:
    class Broken(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            raise OSError(f"{len(spans)} spans")

    registry = CollectorRegistry()
    process = Tracing(sample_ratio=1.0, exporter=Broken(), registry=registry)
    for _ in range(2):
        process.tracer.start_span("x").end()
        assert process.flush()
    failed = registry.get_sample_value("abops_instrument_spans_total", {"result": "failed"})
    assert 2 == failed


def test_calls_inside_sampled_work_become_its_children(monkeypatch: pytest.MonkeyPatch) -> None:
    process, exporter = a_process(1.0)
    monkeypatch.setattr(tracing, "_current", process)
    with working("tick daily"), tracing.client_span("SELECT", db__system__name="postgresql"):
        pass
    child, parent = finished(process, exporter)
    assert ("SELECT", "tick daily") == (child.name, parent.name)
    assert child.parent is not None
    assert child.parent.span_id == (parent.context and parent.context.span_id)
    assert {"db.system.name": "postgresql"} == dict(child.attributes or {})


def test_calls_inside_unsampled_work_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    process, exporter = a_process(0.0)
    monkeypatch.setattr(tracing, "_current", process)
    with working("tick daily"), tracing.client_span("SELECT"):
        pass
    assert () == finished(process, exporter)
