"""The producer's side: when a task was sent, and by which work.

The time of sending travels in the header `abops_sent_at`; the worker subtracts it to know how
long the task waited. `traceparent` makes the task part of the sender's trace.
"""

import threading
from collections.abc import Callable
from time import time_ns
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from abops_instrument import tracing
from abops_instrument.propagation import TRACEPARENT, current_traceparent, format_traceparent

SENT_AT = "abops_sent_at"

_sending = threading.local()


def connect(listen: Callable[[str, Callable[..., None]], None]) -> None:
    """Mark every task that this process sends."""
    listen("before_task_publish", _before)
    listen("after_task_publish", _after)


def _before(
    headers: dict[str, Any] | None = None,
    routing_key: str | None = None,
    sender: str | None = None,
    **_: object,
) -> None:
    if headers is None:
        return
    _end_unfinished()
    headers[SENT_AT] = time_ns() / 1e9
    headers.pop(TRACEPARENT, None)  # a retry carries the header of its first sending
    span = _start(routing_key or "default", sender or "")
    if span is not None:
        headers[TRACEPARENT] = format_traceparent(span.get_span_context())
        _sending.span = span
        return
    carried = current_traceparent()
    if carried is not None:
        headers[TRACEPARENT] = carried


def _start(queue: str, task: str) -> Span | None:
    if not trace.get_current_span().is_recording():
        return None
    return tracing.current().tracer.start_span(
        f"publish {queue}",
        kind=SpanKind.PRODUCER,
        attributes={
            "messaging.system": "celery",
            "messaging.destination.name": queue,
            "messaging.operation.type": "send",
            "celery.task": task,
        },
    )


def _after(**_: object) -> None:
    span: Span | None = getattr(_sending, "span", None)
    if span is not None:
        _sending.span = None
        span.end()


def _end_unfinished() -> None:
    """End the span of a sending that raised: Celery has no signal for that."""
    span: Span | None = getattr(_sending, "span", None)
    if span is not None:
        _sending.span = None
        span.set_status(Status(StatusCode.ERROR))
        span.end()
