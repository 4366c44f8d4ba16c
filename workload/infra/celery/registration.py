"""Celery's decorator, with types.

Celery carries no annotations; this door keeps the untyped part in one module, so that a task
with a wrong argument fails in the type check and not at night in a queue.
"""

from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar, cast

from celery import Celery, Task
from kombu.exceptions import OperationalError

P = ParamSpec("P")
R = TypeVar("R")


class QueueAwayError(Exception):
    """The broker cannot be reached, so nothing was queued."""


class QueuedTask(Generic[P, R]):
    """A function that runs in a worker."""

    def __init__(self, task: Any, function: Callable[P, R]) -> None:
        self._task = task
        self.run = function
        self.name: str = task.name

    def queue(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """Hand the call to a worker and return the task's id; fail fast without a broker."""
        return self._send(args, kwargs)

    def queue_in(self, delay_s: float, *args: P.args, **kwargs: P.kwargs) -> str:
        """Do the same, to be run `delay_s` from now."""
        return self._send(args, kwargs, countdown=max(0.0, delay_s))

    def _send(self, args: Any, kwargs: Any, **options: Any) -> str:
        try:
            return cast("str", self._task.apply_async(args, kwargs, retry=False, **options).id)
        except (OperationalError, OSError) as error:
            raise QueueAwayError(f"{self.name} was not queued") from error


def task(app: Celery, name: str, **options: Any) -> Callable[[Callable[P, R]], QueuedTask[P, R]]:
    """Register a function under `name`."""

    def register(function: Callable[P, R]) -> QueuedTask[P, R]:
        return QueuedTask(app.task(name=name, **options)(function), function)

    return register


def bound_task(
    app: Celery, name: str, **options: Any
) -> Callable[[Callable[..., R]], QueuedTask[..., R]]:
    """Register a function that gets its task first (to retry)."""

    def register(function: Callable[..., R]) -> QueuedTask[..., R]:
        return QueuedTask(app.task(name=name, bind=True, **options)(function), function)

    return register


__all__ = ["QueueAwayError", "QueuedTask", "Task", "bound_task", "task"]
