import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import SimpleNamespace

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry

from abops_instrument import tracing
from abops_instrument.http_client import aiohttp_trace, host_of, http_call, status_label
from abops_instrument.tracing import Tracing
from abops_instrument.work import working

COUNT = "http_client_request_duration_seconds_count"


def counted(registry: CollectorRegistry, status: str) -> float:
    labels = {"server_address": "api.example.com", "http_response_status_code": status}
    return registry.get_sample_value(COUNT, labels) or 0.0


def test_a_call_counts_by_server_and_status() -> None:
    registry = CollectorRegistry()
    with http_call("API.example.com:8443", registry=registry) as call:
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


def test_a_timeout_after_a_status_was_guessed_is_still_an_error() -> None:
    registry = CollectorRegistry()
    with suppress(TimeoutError), http_call("api.example.com", registry=registry) as call:
        call.status = 200
        raise TimeoutError
    assert (0, 1) == (counted(registry, "200"), counted(registry, "error"))


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("api.example.com", "api.example.com"),
        ("API.example.com:8443", "api.example.com"),
        ("https://me:secret@api.example.com:443/bot1:x/getMe", "api.example.com"),
        ("127.0.0.1:8081", "127.0.0.1"),
        ("[::1]:80", "::1"),
        ("", "unknown"),
        ("http://[::1", "unknown"),
    ],
)
def test_the_address_is_the_host_and_holds_no_secret(address: str, host: str) -> None:
    assert host == host_of(address)


@pytest.mark.parametrize(("status", "label"), [(204, "204"), (599, "599"), (0, "error")])
def test_a_status_is_its_own_label(status: int, label: str) -> None:
    assert label == status_label(status)


@pytest.mark.parametrize("status", [99, 600, 77777, -1])
def test_a_code_that_http_does_not_know_makes_no_series_of_its_own(status: int) -> None:
    assert "error" == status_label(status)


def test_hosts_without_end_are_counted_together_and_keep_their_code() -> None:
    registry = CollectorRegistry()
    for number in range(300):
        with http_call(f"tenant-{number}.example.com", registry=registry) as call:
            call.status = 200 if number % 2 else 500
    samples = [
        (sample.labels, sample.value)
        for metric in registry.collect()
        for sample in metric.samples
        if sample.name == COUNT
    ]
    assert 300 == sum(value for _, value in samples)
    assert 150 == sum(
        value for labels, value in samples if labels["http_response_status_code"] == "500"
    )
    assert len(samples) < 80


class Signal(list[Callable[..., Awaitable[None]]]):
    """As aiohttp's: a list of what is called."""


class TraceConfig:
    """As aiohttp's, as far as it is used."""

    def __init__(self) -> None:
        self.on_request_start = Signal()
        self.on_request_end = Signal()
        self.on_request_exception = Signal()


@pytest.fixture
def _aiohttp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiohttp", SimpleNamespace(TraceConfig=TraceConfig))


async def a_request(config: TraceConfig, path: str, status: int | None) -> None:
    """Do what aiohttp does around one request; without a status it fails."""
    context = SimpleNamespace()
    url = SimpleNamespace(host="api.example.com", path=path)
    await config.on_request_start[0](None, context, SimpleNamespace(url=url))
    if status is None:
        failed = SimpleNamespace(url=url, exception=TimeoutError())
        await config.on_request_exception[0](None, context, failed)
    else:
        answer = SimpleNamespace(status=status)
        await config.on_request_end[0](None, context, SimpleNamespace(url=url, response=answer))


@pytest.mark.usefixtures("_aiohttp")
async def test_the_requests_of_an_aiohttp_session_are_measured() -> None:
    registry = CollectorRegistry()
    config = aiohttp_trace(registry=registry)
    for status in (200, 200, 429, None):
        await a_request(config, "/bot1:x/sendMessage", status)
    assert {"200": 2, "429": 1, "error": 1} == {
        status: counted(registry, status) for status in ("200", "429", "error")
    }


@pytest.mark.usefixtures("_aiohttp")
async def test_a_skipped_path_is_not_measured() -> None:
    registry = CollectorRegistry()
    config = aiohttp_trace(registry=registry, skip=lambda path: path.endswith("/getUpdates"))
    for path in ("/bot1:x/getUpdates", "/bot1:x/getMe"):
        await a_request(config, path, 200)
        await a_request(config, path, None)
    assert (1, 1) == (counted(registry, "200"), counted(registry, "error"))
