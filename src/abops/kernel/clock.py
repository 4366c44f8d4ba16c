"""The one place where time is read.

Decisions take `now` as a value; services hold a `Clock`, so that a test or a simulation can
move it. Time is aware UTC everywhere.
"""

import time
from datetime import UTC, datetime
from typing import Protocol


def moment(seconds: float) -> datetime:
    """Return seconds since 1970, as stores and metrics hold them, as a moment in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Return the current moment, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never run backwards; only differences mean something."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the current moment, aware, in UTC."""
        return datetime.now(UTC)  # noqa: TID251 - this is the one place

    def monotonic(self) -> float:
        """Return seconds that never run backwards; only differences mean something."""
        return time.monotonic()


class HurriedClock:
    """A clock on which time passes faster, for simulations. Paces stay true: see `monotonic`."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._clock = SystemClock()
        self._begun = self._clock.now()

    def now(self) -> datetime:
        """Return the moment of the simulation, aware, in UTC."""
        return self._begun + (self._clock.now() - self._begun) * self._speed

    def monotonic(self) -> float:
        """Return true seconds: what paces calls to others must not hurry."""
        return self._clock.monotonic()
