"""What instrumentation costs a request: CPU microseconds, ours beside the alternatives.

The same FastAPI app is called in process, through ASGI and without sockets, so that nothing but
the app and its instrumentation is measured. Every variant takes its turn in every round (what
the machine does besides hits all of them), and the lowest CPU time of the rounds counts: noise
only ever adds.
"""

import argparse
import asyncio
import gc
import json
import os
import sys
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from importlib import import_module
from pathlib import Path
from time import process_time_ns
from typing import Any

from fastapi import FastAPI
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from prometheus_client import CollectorRegistry

from abops_instrument import InstrumentMiddleware, configure_logs
from abops_instrument.tracing import Tracing

GOAL_US = 25.0
ROUNDS = 8
REQUESTS = 1_000
HEADERS = [
    (b"host", b"api.example.com"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64)"),
    (b"accept", b"application/json"),
    (b"accept-encoding", b"gzip, deflate, br"),
    (b"connection", b"keep-alive"),
]

App = Callable[..., Awaitable[None]]


class Discard(SpanExporter):
    """Takes spans and drops them: the collector's cost is not the request's."""

    def export(self, spans: Any) -> SpanExportResult:  # noqa: ANN401, ARG002
        """Say that it worked."""
        return SpanExportResult.SUCCESS


def plain(**settings: Any) -> FastAPI:  # noqa: ANN401
    """Return the app that is measured: one route with a parameter, as most have."""
    app = FastAPI(**settings)

    @app.get("/api/v1/channels/{channel}")
    async def channel(channel: int) -> dict[str, int]:
        return {"channel": channel}

    return app


def ours(ratio: float, *, access_log: bool = False) -> FastAPI:
    """Return the app with our middleware."""
    app, registry = plain(), CollectorRegistry()
    process = Tracing(sample_ratio=ratio, exporter=Discard(), registry=registry)
    app.add_middleware(
        InstrumentMiddleware, registry=registry, process=process, access_log=access_log
    )
    return app


def fastapi_telemetry(ratio: float | None, *, metrics: bool) -> FastAPI:
    """Return the app with FastAPI's own OpenTelemetry support; no ratio means no traces."""
    tracer = TracerProvider(sampler=ParentBased(TraceIdRatioBased(ratio or 0.0)))
    tracer.add_span_processor(BatchSpanProcessor(Discard()))
    telemetry = {
        "tracing": ratio is not None,
        "tracer_provider": tracer,
        "metrics": metrics,
        "meter_provider": MeterProvider([InMemoryMetricReader()]),
        "logs": False,
        "operation_spans": False,
    }
    return plain(telemetry=telemetry)


def instrumentator() -> FastAPI | None:
    """Return the app with prometheus-fastapi-instrumentator, or None where it is missing."""
    try:
        module = import_module("prometheus_fastapi_instrumentator")
    except ModuleNotFoundError:
        return None
    app = plain()
    module.Instrumentator(registry=CollectorRegistry()).instrument(app)
    return app


def variants() -> dict[str, App]:
    """Return what is compared, the app without anything first."""
    apps: dict[str, App | None] = {
        "nothing": plain(),
        "ours, 0 %": ours(0.0),
        "ours, 10 %": ours(0.10),
        "ours, 100 %": ours(1.0),
        "ours, 10 %, and a JSON access line": ours(0.10, access_log=True),
        "FastAPI telemetry, traces 10 %": fastapi_telemetry(0.10, metrics=False),
        "FastAPI telemetry, metrics": fastapi_telemetry(None, metrics=True),
        "FastAPI telemetry, both 10 %": fastapi_telemetry(0.10, metrics=True),
        "prometheus-fastapi-instrumentator": instrumentator(),
    }
    return {name: app for name, app in apps.items() if app is not None}


def a_scope(number: int) -> dict[str, Any]:
    """Return the scope of one request, as uvicorn would make it."""
    path = f"/api/v1/channels/{number}"
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": HEADERS,
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8_000),
    }


async def receive() -> dict[str, Any]:
    """Return the empty body of a GET."""
    return {"type": "http.request", "body": b"", "more_body": False}


async def batch(app: App, requests: int) -> float:
    """Return CPU microseconds per request over one batch."""
    answered = 0

    async def send(message: dict[str, Any]) -> None:
        nonlocal answered
        if message["type"] == "http.response.start" and message["status"] == HTTPStatus.OK:
            answered += 1

    gc.collect()  # what one variant left behind is not the next one's cost
    before = process_time_ns()
    for number in range(requests):
        await app(a_scope(number), receive, send)
    spent = process_time_ns() - before
    if answered != requests:
        raise SystemExit(f"only {answered} of {requests} requests were answered")
    return spent / requests / 1000


async def measure(rounds: int, requests: int) -> dict[str, float]:
    """Return the lowest CPU microseconds per request of every variant."""
    apps = variants()
    for app in apps.values():
        await batch(app, 100)  # the first request builds the stack and fills caches
    lowest = dict.fromkeys(apps, float("inf"))
    for _ in range(rounds):
        for name, app in apps.items():
            lowest[name] = min(lowest[name], await batch(app, requests))
    return lowest


def main() -> None:
    """Print the table, or one JSON document; exit 1 when the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--small", action="store_true", help="4 rounds of 250 requests")
    parser.add_argument("--output", choices=["table", "json"], default="table")
    args = parser.parse_args()
    rounds, requests = (4, 250) if args.small else (args.rounds, args.requests)
    with Path(os.devnull).open("w") as nowhere:
        configure_logs("analyticbot-api", version="0", environment="bench", stream=nowhere)
        lowest = asyncio.run(measure(rounds, requests))
    bare = lowest["nothing"]
    added = {name: value - bare for name, value in lowest.items() if name != "nothing"}
    if args.output == "json":
        figures = {"rounds": rounds, "requests": requests, "goal_us": GOAL_US, "bare_us": bare}
        print(json.dumps(figures | {"added_us": added}))
    else:
        print(f"{rounds} x {requests:,} requests each, interleaved; lowest CPU time counts")
        print(f"{'FastAPI alone':36}{bare:8.1f} us per request")
        for name, value in added.items():
            print(f"{name:36}{value:+8.1f} us")
        print(f"goal for ours at 10 %: {GOAL_US:.0f} us")
    sys.exit(added["ours, 10 %"] > GOAL_US)


if __name__ == "__main__":
    main()
