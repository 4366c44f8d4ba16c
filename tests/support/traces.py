"""A real Jaeger, and spans to send to it."""

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from abops.observability.jaeger import TracePlace, badger, jaeger_config, memory
from abops.stack.tools import find_tool
from support.servers import Server, answers, free_port, running

INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = 1, 2, 3, 4, 5
MS = 1_000_000


@dataclass
class Jaeger(Server):
    """A running Jaeger, and where it takes spans."""

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
    folder: Path,
    *,
    query: int | None = None,
    keep_percent: int | None = None,
    on_disk: bool = False,
) -> Iterator[Jaeger]:
    """Run a Jaeger with the rendered configuration, on free ports."""
    place = TracePlace(
        badger(str(folder / "data")) if on_disk else memory(),
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


def a_post(start_ns: int, *, wait_ms: float = 320, failed: bool = False) -> list[dict[str, Any]]:
    """Return a request that sends a task, and the task that sends a message to Telegram."""
    trace, at = new_trace(), _moments(start_ns)
    root, publish, task = "a" * 16, "b" * 16, "c" * 16
    api, worker = "analyticbot-api", "analyticbot-worker"
    begins = 36 + wait_ms

    def call(service: str, name: str, parent: str, begin: float, ms: float, **more: Any) -> Any:  # noqa: ANN401
        return a_span(
            service,
            name,
            trace=trace,
            parent=parent,
            kind=CLIENT,
            start_ns=at(begin),
            ms=ms,
            **more,
        )

    return [
        a_span(
            api,
            "POST /api/v1/posts",
            trace=trace,
            span=root,
            kind=SERVER,
            start_ns=at(0),
            ms=48,
            http__request__method="POST",
            http__route="/api/v1/posts",
            http__response__status_code=202,
        ),
        call(api, "SELECT", root, 3, 6, db__system__name="postgresql"),
        call(api, "INSERT", root, 11, 14, db__system__name="postgresql"),
        a_span(
            api,
            "publish messages",
            trace=trace,
            span=publish,
            parent=root,
            kind=PRODUCER,
            start_ns=at(28),
            ms=8,
            messaging__destination__name="messages",
        ),
        a_span(
            worker,
            "process bot.tasks.send_message_task",
            trace=trace,
            span=task,
            parent=publish,
            kind=CONSUMER,
            start_ns=at(begins),
            ms=410,
            failed=failed,
            celery__task="bot.tasks.send_message_task",
        ),
        call(worker, "SELECT", task, begins + 4, 7, db__system__name="postgresql"),
        call(worker, "SET", task, begins + 14, 2, db__system__name="redis"),
        call(
            worker,
            "sendMessage",
            task,
            begins + 20,
            356,
            failed=failed,
            peer__service="telegram",
            **({"error__type": "TelegramRetryAfter"} if failed else {}),
        ),
        call(worker, "UPDATE", task, begins + 384, 16, db__system__name="postgresql"),
    ]


def a_late_task(start_ns: int) -> list[dict[str, Any]]:
    """Return the one span of a task that failed and whose sender was not sampled."""
    return [
        a_span(
            "analyticbot-worker",
            "process bot.tasks.send_scheduled_message",
            trace=new_trace(),
            parent="d" * 16,
            kind=CONSUMER,
            start_ns=start_ns,
            ms=1_840,
            failed=True,
            abops__late=True,
            error__type="TimeoutError",
        )
    ]


def a_skewed_call(start_ns: int) -> list[dict[str, Any]]:
    """Return a call to a service whose clock is two seconds behind."""
    trace, at = new_trace(), _moments(start_ns)
    root, call, served = "1" * 16, "2" * 16, "3" * 16
    bot, api = "analyticbot-bot", "analyticbot-api"
    behind = -2_000
    return [
        a_span(bot, "update stats", trace=trace, span=root, kind=CONSUMER, start_ns=at(0), ms=90),
        a_span(
            bot,
            "GET",
            trace=trace,
            span=call,
            parent=root,
            kind=CLIENT,
            start_ns=at(10),
            ms=60,
            server__address="analyticbot-api",
        ),
        a_span(
            api,
            "GET /api/v1/channels/{channel_id}",
            trace=trace,
            span=served,
            parent=call,
            kind=SERVER,
            start_ns=at(behind),
            ms=40,
        ),
        a_span(
            api,
            "SELECT",
            trace=trace,
            parent=served,
            kind=CLIENT,
            start_ns=at(behind + 5),
            ms=30,
            db__system__name="postgresql",
        ),
    ]


def a_loop(start_ns: int, *, rounds: int = 2_000) -> list[dict[str, Any]]:
    """Return a task that asks the database once for each of many channels; one fails."""
    trace, at, root = new_trace(), _moments(start_ns), "e" * 16
    worker = "analyticbot-worker"
    return [
        a_span(
            worker,
            "process bot.tasks.update_post_views_task",
            trace=trace,
            span=root,
            kind=CONSUMER,
            start_ns=at(0),
            ms=rounds * 2 + 40,
        ),
        *(
            a_span(
                worker,
                "UPDATE" if number % 7 else "SELECT",
                trace=trace,
                span=f"{number + 1:016x}",
                parent=root,
                kind=CLIENT,
                start_ns=at(10 + 2 * number),
                ms=1.4,
                failed=number == rounds // 2,
                db__system__name="postgresql",
            )
            for number in range(rounds)
        ),
    ]


def trace_of(spans: list[dict[str, Any]]) -> str:
    """Return the trace that spans belong to."""
    trace: str = spans[0]["scopeSpans"][0]["spans"][0]["traceId"]
    return trace


def _moments(start_ns: int) -> Callable[[float], int]:
    return lambda ms: start_ns + round(ms * MS)
