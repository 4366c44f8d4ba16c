"""Answers kept for a moment: many readers of one board ask once, and a lost source is bridged.

An answer is fresh for some seconds. While a question is under way, whoever asks the same waits
for the same answer. After that it is dropped, or kept as the last good one until the space is
needed: when the source fails, it can still be shown, with its age.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, TypeVar

from msgspec import Struct

from abops.kernel.clock import Clock

T = TypeVar("T")
FRESH_S: Final = 15.0
KEPT_AT_MOST: Final = 500


class _Kept(Struct, Generic[T]):
    value: T
    at: float


class Answers(Generic[T]):
    """Answers by their question; belongs to one event loop."""

    def __init__(
        self,
        clock: Clock,
        *,
        fresh_s: float = FRESH_S,
        at_most: int = KEPT_AT_MOST,
        keeps_old: bool = True,
    ) -> None:
        self._clock = clock
        self._keeps_old = keeps_old
        self._fresh_s = fresh_s
        self._at_most = at_most
        self._kept: OrderedDict[Hashable, _Kept[T]] = OrderedDict()
        self._asked: dict[Hashable, asyncio.Task[T]] = {}

    async def get(self, question: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        """Return the answer: kept, under way, or asked for now. Errors are not kept."""
        kept = self._kept.get(question)
        if kept is not None and self._clock.monotonic() - kept.at < self._fresh_s:
            return kept.value
        task = self._asked.get(question)
        if task is None:
            task = self._asked[question] = asyncio.ensure_future(self._answer(question, ask))
            task.add_done_callback(lambda done: self._settle(question, done))
        return await asyncio.shield(task)  # a reader who leaves takes nothing from the others

    def last(self, question: Hashable) -> tuple[T, float] | None:
        """Return the last good answer and its age in seconds."""
        kept = self._kept.get(question)
        return None if kept is None else (kept.value, self._clock.monotonic() - kept.at)

    def keep(self, question: Hashable, value: T) -> None:
        """Keep an answer; the one that was used least recently makes room."""
        now = self._clock.monotonic()
        self._kept[question] = _Kept(value, now)
        self._kept.move_to_end(question)
        while len(self._kept) > self._at_most or self._has_old(now):
            self._kept.popitem(last=False)

    def _has_old(self, now: float) -> bool:
        oldest = next(iter(self._kept.values()))
        return not self._keeps_old and now - oldest.at >= self._fresh_s

    async def _answer(self, question: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        value = await ask()
        self.keep(question, value)
        return value

    def _settle(self, question: Hashable, done: asyncio.Task[T]) -> None:
        self._asked.pop(question, None)
        if not done.cancelled():
            done.exception()  # read, for everybody who asked may have left
