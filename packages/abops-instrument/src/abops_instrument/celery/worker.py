"""The worker's parent process: how long tasks wait and run, and how they end.

Celery makes, per task, a class derived from the task's `Request`, and that class replaces
`on_success` without calling ours. So the derived method is wrapped when the class is made.
"""

from collections.abc import Callable
from importlib import import_module
from time import monotonic, time_ns
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry

from abops_instrument.celery.publish import SENT_AT
from abops_instrument.series import TASK_BUCKETS, WAIT_BUCKETS, families
from abops_instrument.server import start_metrics_server

# How a task ended, by the exception the pool reports; anything else is `failure`.
_STATES = {
    "Retry": "retry",
    "Ignore": "ignored",
    "Reject": "rejected",
    "WorkerLostError": "lost",
    "SystemExit": "lost",
    "KeyboardInterrupt": "lost",
    "TimeLimitExceeded": "timeout",
    "Terminated": "revoked",
}


class TaskMetrics:
    """What the parent process counts."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        made = families(registry)
        self.runtime = made.histogram(
            "celery_task_runtime_seconds",
            "Time from a task's acceptance by a child to its end.",
            ("task", "state"),
            buckets=TASK_BUCKETS,
            keep=("state",),
        )
        self.wait = made.histogram(
            "celery_task_queue_wait_seconds",
            "Time from a task's sending (or its eta) to its acceptance by a child.",
            ("queue",),
            buckets=WAIT_BUCKETS,
        )
        self.active = made.gauge("celery_workers_active", "Pool processes that exist.").labels()
        self.busy = made.gauge("celery_pool_busy", "Pool processes that run a task.").labels()


def connect(
    listen: Callable[[str, Callable[..., None]], None],
    app: Any,  # noqa: ANN401 - a celery.Celery
    address: tuple[str, int | None],
    registry: CollectorRegistry,
) -> None:
    """Measure the tasks of this worker; serve the metrics once it is ready (no port: never)."""
    host, port = address

    def on_init(**_: object) -> None:
        metrics = TaskMetrics(registry)
        request: Any = import_module("celery.worker.request").Request
        measured = measured_request(request, metrics)
        for task in app.tasks.values():
            if isinstance(task.Request, str):
                task.Request = measured

    def on_ready(sender: Any, **_: object) -> None:  # noqa: ANN401 - the consumer
        TaskMetrics(registry).active.set_function(lambda: _pool_size(sender.pool))
        if port is not None:
            start_metrics_server(port, host=host, registry=registry)

    listen("worker_init", on_init)
    listen("worker_ready", on_ready)


def _pool_size(pool: Any) -> float:  # noqa: ANN401 - a celery pool
    processes = getattr(getattr(pool, "_pool", None), "_pool", None)
    return len(processes) if processes is not None else float(pool.num_processes)


def measured_request(base: Any, metrics: TaskMetrics) -> Any:  # noqa: ANN401 - Celery's class
    """Return Celery's Request class with measurements in it."""

    class MeasuredRequest(base):  # type: ignore[misc]
        _accepted_at: float | None = None
        _is_measured = False

        def __init_subclass__(cls, **kwargs: object) -> None:
            super().__init_subclass__(**kwargs)
            derived = cls.__dict__.get("on_success")
            if derived is not None:
                setattr(cls, "on_success", _with_success(derived))  # noqa: B010 - mypy

        def on_accepted(self, pid: int, time_accepted: float) -> None:
            self._accepted_at = time_accepted
            metrics.busy.inc()
            _observe_wait(self, metrics)
            super().on_accepted(pid, time_accepted)

        def on_success(self, outcome: Any, **kwargs: object) -> Any:  # noqa: ANN401 - Celery's
            return _with_success(base.on_success)(self, outcome, **kwargs)

        def on_failure(self, exc_info: Any, *args: object, **kwargs: object) -> Any:  # noqa: ANN401
            self.measure(_state(exc_info.exception))
            return super().on_failure(exc_info, *args, **kwargs)

        def measure(self, state: str, runtime: float | None = None) -> None:
            """Count this task's end, once."""
            if self._is_measured:
                return
            self._is_measured = True
            if self._accepted_at is not None:
                metrics.busy.dec()
                if runtime is None:
                    runtime = monotonic() - self._accepted_at
            metrics.runtime.labels(self.task_name, state).observe(max(0.0, runtime or 0.0))

    return MeasuredRequest


def _with_success(original: Any) -> Any:  # noqa: ANN401 - a method of Celery's
    def on_success(request: Any, outcome: Any, **kwargs: object) -> Any:  # noqa: ANN401
        failed, _, runtime = outcome
        if not failed:  # a failed one goes on to on_failure, which knows why
            request.measure("success", runtime)
        return original(request, outcome, **kwargs)

    return on_success


def _state(error: Any) -> str:  # noqa: ANN401 - an exception or Celery's wrapper of one
    if type(error).__name__ == "ExceptionWithTraceback":
        error = error.exc
    return _STATES.get(type(error).__name__, "failure")


def _observe_wait(request: Any, metrics: TaskMetrics) -> None:  # noqa: ANN401 - Celery's Request
    sent_at = request.request_dict.get(SENT_AT)
    if not isinstance(sent_at, int | float):
        return  # sent by a process without this library
    eta = request.eta  # an ISO text, or a datetime since 5.7
    due = max(float(sent_at), eta.timestamp() if hasattr(eta, "timestamp") else 0.0)
    queue = str((request.delivery_info or {}).get("routing_key") or "unknown")
    metrics.wait.labels(queue).observe(max(0.0, time_ns() / 1e9 - due))
