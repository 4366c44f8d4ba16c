"""What the archiver knows about one destination while it runs."""

import asyncio
import math
from collections import deque
from contextlib import suppress
from typing import Final

from msgspec import Struct

from abops.backup.wal.engine import Outcome, Told
from abops.backup.wal.policy import Breaker

_REMEMBERED: Final = 500


class View(Struct, frozen=True, kw_only=True):
    """A destination as a person or a scrape sees it."""

    destination: str
    up: bool
    owed: int
    oldest_owed_s: float
    last_push: str
    last_push_at: float
    p95_ms: float | None
    conflicts: int
    gaps: int
    error: str


class Place:
    """Breaker, times and last words of a destination."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.breaker = Breaker()
        self.conflicts: set[str] = set()
        """Names under which it has another segment: nobody pushes them until somebody looked."""
        self.last_push = ""
        self.last_push_at = 0.0
        self.error = ""
        self._seconds: deque[float] = deque(maxlen=_REMEMBERED)
        self._wake = asyncio.Event()

    def note(self, name: str, told: Told, *, now: float, at: float) -> None:
        """Learn from an answer. `now` is for pauses, `at` for people."""
        match told.outcome:
            case Outcome.DONE:
                self.breaker = self.breaker.answered()
                self.conflicts.discard(name)
                self.last_push, self.last_push_at, self.error = name, at, ""
                self._seconds.append(told.seconds)
            case Outcome.DIFFERENT:
                self.breaker = self.breaker.answered()
                self.conflicts.add(name)
                self.error = told.reason
            case _:
                self.breaker = self.breaker.failed(now)
                self.error = told.reason

    @property
    def p95_s(self) -> float | None:
        """Time that 95 of 100 pushes stay below."""
        return p95(self._seconds)

    def wake(self, *, probe: bool = False) -> None:
        """Have what is owed looked at; `probe`: now, even if it was down a moment ago."""
        if probe:
            self.breaker = Breaker(self.breaker.failures)
        self._wake.set()

    async def rest(self, seconds: float) -> None:
        """Wait until woken, at most this long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        self._wake.clear()


def p95(seconds: "deque[float]") -> float | None:
    """Return the time that 95 of 100 stay below; None without any."""
    if not seconds:
        return None
    ordered = sorted(seconds)
    return ordered[math.ceil(len(ordered) * 0.95) - 1]
