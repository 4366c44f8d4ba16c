"""The child's side: the task as a span around everything it calls."""

from collections.abc import Callable
from typing import Any

from opentelemetry.trace import SpanKind

from abops_instrument import tracing
from abops_instrument.propagation import TRACEPARENT, parse_traceparent
from abops_instrument.work import Work

_FAILURE = "FAILURE"

_running: dict[str, Work] = {}


def connect(listen: Callable[[str, Callable[..., None]], None]) -> None:
    """Span every task that this process executes."""
    listen("task_prerun", _begin)
    listen("task_postrun", _end)
    listen("worker_process_shutdown", _flush)


def _flush(**_: object) -> None:
    tracing.current().flush()


def _begin(task_id: str, task: Any, **_: object) -> None:  # noqa: ANN401 - a celery.Task
    header = task.request.get(TRACEPARENT)
    remote = parse_traceparent(header) if isinstance(header, str) else None
    _running[task_id] = Work(f"process {task.name}", SpanKind.CONSUMER, remote, tracing.current())


def _end(
    task_id: str,
    task: Any,  # noqa: ANN401 - a celery.Task
    retval: object = None,
    state: str | None = None,
    **_: object,
) -> None:
    work = _running.pop(task_id, None)
    if work is None:
        return
    work.leave()
    delivery = task.request.get("delivery_info") or {}
    work.end(
        f"process {task.name}",
        {
            "messaging.system": "celery",
            "messaging.destination.name": str(delivery.get("routing_key", "")),
            "messaging.operation.type": "process",
            "celery.task": task.name,
            "celery.state": str(state),
        },
        error=retval if state == _FAILURE and isinstance(retval, BaseException) else None,
        failed=state == _FAILURE,
    )
