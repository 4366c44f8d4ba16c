import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry

from abops_instrument import tracing
from abops_instrument.http_client import http_call
from abops_instrument.tracing import Tracing
from abops_instrument.work import working

COUNT = "http_client_request_duration_seconds_count"


def counted(registry: CollectorRegistry, status: str) -> float:
    labels = {"server_address": "api.example.com", "http_response_status_code": status}
    return registry.get_sample_value(COUNT, labels) or 0.0


def test_a_call_counts_by_server_and_status() -> None:
    registry = CollectorRegistry()
    with http_call("api.example.com", registry=registry) as call:
        call.status = 201
    assert 1 == counted(registry, "201")


def test_a_call_without_an_answer_is_an_error() -> None:
    registry = CollectorRegistry()
    with pytest.raises(TimeoutError), http_call("api.example.com", registry=registry):
        raise TimeoutError
    assert 1 == counted(registry, "error")


def test_the_callee_becomes_the_child_of_the_calls_span(monkeypatch: pytest.MonkeyPatch) -> None:
    exporter = InMemorySpanExporter()
    process = Tracing(sample_ratio=1.0, exporter=exporter, registry=CollectorRegistry())
    monkeypatch.setattr(tracing, "_current", process)
    with (
        working("tick"),
        http_call("api.example.com", "POST", registry=CollectorRegistry()) as call,
    ):
        call.status = 200
    process.flush()
    span, _ = exporter.get_finished_spans()
    assert span.context is not None
    assert call.headers["traceparent"].split("-")[2] == f"{span.context.span_id:016x}"
    assert {"server.address": "api.example.com", "http.response.status_code": 200} == dict(
        span.attributes or {}
    )
