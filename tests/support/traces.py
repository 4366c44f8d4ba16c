"""A real Jaeger, and spans to send to it."""

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from abops.observability.jaeger import TracePlace, jaeger_config, memory
from abops.stack.tools import find_tool
from support.servers import Server, answers, free_port, running

INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = 1, 2, 3, 4, 5
MS = 1_000_000


@dataclass
class Jaeger(Server):
    """A Jaeger that keeps its spans in memory."""

    place: TracePlace = field(default_factory=lambda: TracePlace(memory(), query=0, metrics=0))

    @property
    def otlp(self) -> str:
        """Return the base address for OTLP over HTTP."""
        return f"http://127.0.0.1:{self.place.otlp_http}"

    def take(self, *spans: Mapping[str, Any]) -> None:
        """Send spans as a service would."""
        body = json.dumps({"resourceSpans": list(spans)}).encode()
        request = Request(f"{self.otlp}/v1/traces", body, {"Content-Type": "application/json"})
        with urlopen(request, timeout=5) as response:
            assert response.status == 200


@contextmanager
def start_jaeger(
    folder: Path, *, query: int | None = None, keep_percent: int | None = None
) -> Iterator[Jaeger]:
    """Run a Jaeger with the rendered configuration, on free ports."""
    place = TracePlace(
        memory(),
        query=query or free_port(),
        host="127.0.0.1",
        memory_mib=256,
        keep_percent=keep_percent,
        metrics=free_port(),
        query_grpc=free_port(),
        health=free_port(),
        otlp_grpc=free_port(),
        otlp_http=free_port(),
        sampling_grpc=free_port(),
        sampling_http=free_port(),
        span_metrics=free_port(),
    )
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "jaeger.yml"
    config.write_text(jaeger_config(place))
    health = f"http://127.0.0.1:{place.health}/status"
    with running(
        [find_tool("jaeger"), "--config", config],
        port=place.query,
        log=folder / "jaeger.log",
        ready=lambda: answers(health),
    ) as server:
        yield Jaeger(server.process, place.query, server.log, place=place)


def new_trace() -> str:
    """Return the id of a trace that nothing else has."""
    return secrets.token_hex(16)


def a_span(
    service: str,
    name: str,
    *,
    trace: str,
    span: str | None = None,
    parent: str = "",
    kind: int = INTERNAL,
    start_ns: int,
    ms: float,
    failed: bool = False,
    **attributes: str | int | bool,
) -> dict[str, Any]:
    """Return one span as OTLP has it; `__` in the name of an attribute is a dot."""
    found: dict[str, Any] = {
        "traceId": trace,
        "spanId": span or secrets.token_hex(8),
        "name": name,
        "kind": kind,
        "startTimeUnixNano": str(start_ns),
        "endTimeUnixNano": str(start_ns + round(ms * MS)),
        "attributes": [_attribute(k.replace("__", "."), v) for k, v in attributes.items()],
        "status": {"code": 2} if failed else {},
    }
    if parent:
        found["parentSpanId"] = parent
    resource = {"attributes": [_attribute("service.name", service)]}
    return {"resource": resource, "scopeSpans": [{"scope": {"name": "test"}, "spans": [found]}]}


def _attribute(name: str, value: Any) -> dict[str, Any]:  # noqa: ANN401 - what OTLP has
    if isinstance(value, bool):
        return {"key": name, "value": {"boolValue": value}}
    if isinstance(value, int):
        return {"key": name, "value": {"intValue": str(value)}}
    return {"key": name, "value": {"stringValue": value}}
