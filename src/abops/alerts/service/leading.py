"""Doing what only one replica may do for as long as this one leads.

Whether it leads is decided where it writes. The workers follow: they begin after the lead was
taken and end when it is lost, and whatever they had begun is taken up by the next one.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from abops.alerts.service.ending import end_tasks

AGAIN_S: Final = 0.5
"""Seconds until workers that could not begin are begun again."""
_log = structlog.get_logger()


class Leading:
    """Begins and ends the workers of the leading replica."""

    def __init__(
        self, begin: Callable[[int], Awaitable[None]], end: Callable[[], Awaitable[None]]
    ) -> None:
        self._begin = begin
        self._end = end
        self._turns: asyncio.Queue[tuple[bool, int]] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._works = False

    def turn(self, leads: bool, in_doubt: int) -> None:  # noqa: FBT001 - which of two
        """Note that the lead was taken or lost."""
        self._turns.put_nowait((leads, in_doubt))

    def start(self) -> None:
        """Follow from now on."""
        self._tasks = [asyncio.create_task(self._follow(), name="leading")]

    async def begin(self, in_doubt: int) -> None:
        """Begin at once: there is no other replica."""
        await self._begin(in_doubt)
        self._works = True

    async def stop(self) -> None:
        """End the workers."""
        await end_tasks(self._tasks)
        if self._works:
            self._works = False
            await self._end()

    async def _follow(self) -> None:
        while True:
            leads, in_doubt = await self._turns.get()
            if self._works:
                self._works = False
                await self._attempt(self._end())
            while leads and self._turns.empty() and not self._works:
                self._works = await self._attempt(self._begin(in_doubt))

    @staticmethod
    async def _attempt(work: Awaitable[None]) -> bool:
        try:
            await work
        except Exception:  # noqa: BLE001 - the edge of the task: a replica goes on
            _log.exception("the workers of the leading replica could not be begun or ended")
            await asyncio.sleep(AGAIN_S)
            return False
        return True
