"""Handing work to the worker, without ever waiting long for the queue.

Celery's client blocks, so it runs in threads of its own: a queue that hangs must not eat the
threads that /metrics and the login need. After a failure nothing is tried for a second.
"""

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any, ParamSpec

from infra.celery.registration import QueueAwayError, QueuedTask

P = ParamSpec("P")
log = logging.getLogger("api.app")
THREADS = 4
PATIENCE_S = 2.0
ASK_AGAIN_AFTER_S = 1.0


class QueueClient:
    """The api's way to the five queues."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="queue")
        self._away_until = 0.0

    async def send(self, task: QueuedTask[P, Any], *args: P.args, **kwargs: P.kwargs) -> str:
        """Queue a call and return the task's id; raise QueueAwayError when there is no queue."""
        if time.monotonic() < self._away_until:
            raise QueueAwayError(f"{task.name} was not queued")
        # The context goes along: the task belongs to the trace of its request.
        call = partial(copy_context().run, task.queue, *args, **kwargs)
        sending = asyncio.get_running_loop().run_in_executor(self._threads, call)
        try:
            return await asyncio.wait_for(sending, PATIENCE_S)
        except (QueueAwayError, TimeoutError) as error:
            self._away_until = time.monotonic() + ASK_AGAIN_AFTER_S
            log.warning("queue away: %s", type(error).__name__)
            raise QueueAwayError(f"{task.name} was not queued") from error

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)
