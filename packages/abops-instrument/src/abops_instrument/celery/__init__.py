"""Celery, measured where nothing is lost.

The worker's parent process sees every task begin and end, also those whose child was killed, so
the metrics live there: no multiprocess files, and a lost child is a counted outcome. Spans of
the tasks are made in the children, where the task's own calls happen.

`celery` is never imported at the top: the web service imports this library without it.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry

from abops_instrument.celery import beat, execution, publish, worker


def instrument_celery(
    app: Any,  # noqa: ANN401 - a celery.Celery, whose types this library does not import
    *,
    worker_port: int | None = None,
    beat_port: int | None = None,
    host: str = "127.0.0.1",
    registry: CollectorRegistry = REGISTRY,
) -> None:
    """Measure everything that goes through `app`; call it once, where the app is made.

    Args:
        app: The Celery application.
        worker_port: Port of `/metrics` and `/health` in the worker's parent process.
        beat_port: The same in the beat process.
        host: The address both bind; in a pod 0.0.0.0, or nobody outside of it can scrape.
        registry: Where the metrics go.
    """
    signals: Any = import_module("celery.signals")
    listen = _listener(signals)
    # A receiver here keeps Celery from replacing our JSON log handler.
    listen("setup_logging", lambda **_: None)
    publish.connect(listen)
    execution.connect(listen)
    worker.connect(listen, app, (host, worker_port), registry)
    beat.connect(listen, (host, beat_port), registry)


def _listener(signals: Any) -> Callable[[str, Callable[..., None]], None]:  # noqa: ANN401 - a module
    def listen(signal: str, receiver: Callable[..., None]) -> None:
        # weak=False: the receivers are closures that nobody else holds.
        getattr(signals, signal).connect(receiver, weak=False)

    return listen
