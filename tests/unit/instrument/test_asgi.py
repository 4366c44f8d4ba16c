import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, HTTPException
from fastapi.responses import StreamingResponse
from httpx2 import ASGITransport, AsyncClient
from opentelemetry import trace
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from prometheus_client import CollectorRegistry

from abops_instrument import InstrumentMiddleware, MetricsApp
from abops_instrument.tracing import Tracing

COUNT = "http_server_request_duration_seconds_count"
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"
OPENMETRICS = {"accept": "application/openmetrics-text; version=1.0.0"}


class Service:
    """A FastAPI app with a route for everything that can happen to a request."""

    def __init__(self, ratio: float = 0.0, **settings: Any) -> None:  # noqa: ANN401
        self.registry = CollectorRegistry()
        self.exporter = InMemorySpanExporter()
        self.process = Tracing(sample_ratio=ratio, exporter=self.exporter, registry=self.registry)
        self.seen: list[trace.SpanContext] = []
        self.app = FastAPI()
        self.app.include_router(self._channels(), prefix="/api/v1")
        self.app.mount("/admin", self._mounted())
        self.app.add_route("/metrics", MetricsApp(self.registry))
        for path in ("/health", "/ready"):
            self.app.add_api_route(path, self._note)
        self.app.add_middleware(
            InstrumentMiddleware, registry=self.registry, process=self.process, **settings
        )

    async def _note(self) -> None:
        self.seen.append(trace.get_current_span().get_span_context())

    def _channels(self) -> APIRouter:
        router = APIRouter(prefix="/channels")

        @router.get("/{channel}")
        async def channel(channel: int) -> int:
            await self._note()
            return channel

        @router.get("/{channel}/broken")
        async def broken(channel: int) -> None:
            raise KeyError(channel)

        @router.get("/{channel}/unavailable")
        async def unavailable(channel: int) -> None:
            raise HTTPException(503, str(channel))

        @router.get("/{channel}/stream")
        async def stream(channel: int) -> StreamingResponse:
            async def parts() -> AsyncIterator[str]:
                yield "a"
                raise OSError(channel)

            return StreamingResponse(parts())

        return router

    @staticmethod
    def _mounted() -> FastAPI:
        app = FastAPI()

        @app.get("/users/{user}")
        async def user(user: int) -> int:
            return user

        return app

    async def call(self, path: str, method: str = "GET", **headers: str) -> int:
        transport = ASGITransport(self.app, raise_app_exceptions=False)
        async with AsyncClient(transport=transport, base_url="http://test") as client:
            answer = await client.request(method, path, headers=headers)
            return answer.status_code

    async def page(self, **headers: str) -> str:
        transport = ASGITransport(self.app)
        async with AsyncClient(transport=transport, base_url="http://test") as client:
            return (await client.get("/metrics", headers=headers)).text

    def counted(self) -> dict[tuple[str, str, str], float]:
        return {
            (
                sample.labels["http_request_method"],
                sample.labels["http_route"],
                sample.labels["http_response_status_code"],
            ): sample.value
            for metric in self.registry.collect()
            for sample in metric.samples
            if sample.name == COUNT
        }

    def spans(self) -> dict[str, Any]:
        self.process.flush()
        return {span.name: span for span in self.exporter.get_finished_spans()}


async def test_a_request_counts_under_its_route_and_never_under_its_path() -> None:
    service = Service()
    for number in (1, 2, 3):
        assert 200 == await service.call(f"/api/v1/channels/{number}")
    assert {("GET", "/api/v1/channels/{channel}", "200"): 3} == service.counted()


async def test_a_mounted_app_keeps_its_prefix() -> None:
    service = Service()
    assert 200 == await service.call("/admin/users/7")
    assert {("GET", "/admin/users/{user}", "200"): 1} == service.counted()


async def test_unknown_paths_and_methods_cannot_make_series() -> None:
    service = Service()
    for number in range(5):
        assert 404 == await service.call(f"/wp-{number}.php", method=f"BREW{number}")
    assert {("_OTHER", "unmatched", "404"): 5} == service.counted()


async def test_a_refused_method_counts_under_its_route() -> None:
    service = Service()
    assert 405 == await service.call("/api/v1/channels/1", method="DELETE")
    assert {("DELETE", "/api/v1/channels/{channel}", "405"): 1} == service.counted()


@pytest.mark.parametrize("path", ["/metrics", "/health", "/ready"])
async def test_what_watches_us_is_not_counted(path: str) -> None:
    service = Service(ratio=1.0)
    assert 200 == await service.call(path)
    assert {} == service.counted()
    assert {} == service.spans()


async def test_an_exception_is_a_500_with_its_type_and_a_late_span() -> None:
    service = Service()
    assert 500 == await service.call("/api/v1/channels/1/broken")
    route = "/api/v1/channels/{channel}/broken"
    assert {("GET", route, "500"): 1} == service.counted()
    assert 1 == service.registry.get_sample_value(
        "http_server_exceptions_total", {"error_type": "KeyError"}
    )
    span = service.spans()[f"GET {route}"]
    assert SpanKind.SERVER == span.kind
    assert {
        "http.request.method": "GET",
        "http.route": route,
        "http.response.status_code": 500,
        "abops.late": True,
        "error.type": "KeyError",
    } == dict(span.attributes)


async def test_an_answer_of_503_is_late_but_no_exception() -> None:
    service = Service()
    assert 503 == await service.call("/api/v1/channels/1/unavailable")
    assert ["GET /api/v1/channels/{channel}/unavailable"] == list(service.spans())
    assert "http_server_exceptions_total{" not in await service.page()


async def test_a_stream_that_breaks_after_its_status_is_a_failure() -> None:
    service = Service()
    await service.call("/api/v1/channels/1/stream")
    assert {("GET", "/api/v1/channels/{channel}/stream", "200"): 1} == service.counted()
    assert ["GET /api/v1/channels/{channel}/stream"] == list(service.spans())


async def test_a_slow_request_is_late_with_its_true_start() -> None:
    service = Service(slow_after_s=0.0)
    await service.call("/api/v1/channels/1")
    (span,) = service.spans().values()
    (seen,) = service.seen
    assert (seen.trace_id, seen.span_id) == (span.context.trace_id, span.context.span_id)
    assert span.start_time < span.end_time


async def test_the_callers_trace_goes_on() -> None:
    service = Service()
    await service.call("/api/v1/channels/1", traceparent=f"{CALLER}-01")
    (span,) = service.spans().values()
    assert (0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331) == (
        span.context.trace_id,
        span.parent.span_id,
    )
    assert "abops.late" not in span.attributes


async def test_requests_without_a_span_have_no_exemplar_and_others_only_in_openmetrics() -> None:
    service = Service()
    await service.call("/api/v1/channels/1")
    assert "trace_id=" not in await service.page(**OPENMETRICS)
    await service.call("/api/v1/channels/1", traceparent=f"{CALLER}-01")
    assert 'trace_id="0af7651916cd43dd8448eb211c80319c"' in await service.page(**OPENMETRICS)
    assert "trace_id=" not in await service.page()


async def test_a_failed_request_has_an_exemplar_though_it_was_not_sampled() -> None:
    service = Service()
    await service.call("/api/v1/channels/1/broken", traceparent=f"{CALLER}-00")
    assert "abops.late" in next(iter(service.spans().values())).attributes
    assert 'trace_id="0af7651916cd43dd8448eb211c80319c"' in await service.page(**OPENMETRICS)


async def test_the_page_holds_no_created_series() -> None:
    service = Service()
    await service.call("/api/v1/channels/1")
    page = await service.page(**OPENMETRICS)
    assert COUNT in page
    assert "_created" not in page
    assert page.endswith("# EOF\n")


async def test_active_requests_return_to_zero() -> None:
    service = Service()
    for path in ("/api/v1/channels/1", "/api/v1/channels/1/broken"):
        await service.call(path)
    assert 0 == service.registry.get_sample_value("http_server_active_requests")


async def test_a_cancelled_request_counts_as_499_and_is_no_exception() -> None:
    registry = CollectorRegistry()

    async def waits(*_: object) -> None:
        await asyncio.Event().wait()

    middleware = InstrumentMiddleware(waits, registry=registry, process=Tracing(sample_ratio=0))
    scope = {"type": "http", "path": "/x", "method": "GET", "headers": []}

    async def nothing(*_: object) -> dict[str, Any]:
        return {}

    request = asyncio.create_task(middleware(scope, nothing, nothing))
    await asyncio.sleep(0)
    assert 1 == registry.get_sample_value("http_server_active_requests")
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    labels = {"http_request_method": "GET", "http_route": "unmatched"}
    assert 1 == registry.get_sample_value(COUNT, labels | {"http_response_status_code": "499"})
    assert 0 == registry.get_sample_value("http_server_active_requests")


async def test_an_access_line_tells_the_route_and_how_long(
    caplog: pytest.LogCaptureFixture,
) -> None:
    service = Service(access_log=True)
    with caplog.at_level(logging.INFO, "api.access"):
        await service.call("/api/v1/channels/1")
    (record,) = caplog.records
    assert "GET /api/v1/channels/{channel} 200" == record.getMessage()
    assert record.__dict__["event.duration"] > 0


async def test_two_apps_of_one_process_share_their_metrics() -> None:
    first = Service()
    second = InstrumentMiddleware(first.app, registry=first.registry, process=first.process)
    assert second is not None


async def test_the_loop_is_watched_while_the_app_lives() -> None:
    service = Service()
    received: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    life = asyncio.create_task(
        service.app({"type": "lifespan", "asgi": {"version": "3.0"}}, received.get, sent.put)
    )
    received.put_nowait({"type": "lifespan.startup"})
    assert "lifespan.startup.complete" == (await sent.get())["type"]
    while not service.registry.get_sample_value("event_loop_lag_seconds"):  # noqa: ASYNC110
        await asyncio.sleep(0.01)  # a gauge has no event
    received.put_nowait({"type": "lifespan.shutdown"})
    await life
