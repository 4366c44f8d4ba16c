"""Background work that outlives what goes wrong in it.

A task that ends with an exception is missed only much later, when causes or scores are no longer
there. So whatever goes wrong is logged with what it was about, counted, and the work goes on.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from abops.alerts.service.metrics import Metrics
from abops.kernel.errors import OpsError

AGAIN_S: Final = 1.0
"""Seconds until work that ended is begun again."""
_log = structlog.get_logger()


class Enduring:
    """Does the work of one background task, whatever becomes of it."""

    def __init__(self, task: str, metrics: Metrics) -> None:
        self._task = task
        self._failures = metrics.background_failures.labels(task)

    async def attempt(self, work: Callable[[], Awaitable[object]], **about: object) -> bool:
        """Do it; False when it failed, which is logged with what it was about."""
        try:
            await work()
        except OpsError as error:
            _log.warning("background work failed", task=self._task, reason=str(error), **about)
        except Exception:  # noqa: BLE001 - the edge of the task: it goes on whatever happens
            _log.exception("background work failed unexpectedly", task=self._task, **about)
        else:
            return True
        self._failures.inc()
        return False

    async def forever(self, work: Callable[[], Awaitable[object]]) -> None:
        """Begin work that never ends by itself again each time it ends."""
        while True:
            await self.attempt(work)
            await asyncio.sleep(AGAIN_S)
