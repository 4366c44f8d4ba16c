"""How much traffic there is at which time of day."""

import math
import random
from dataclasses import dataclass

PEAK_AT = 0.83  # 20:00: people read channels in the evening
QUIETEST = 0.2  # of the peak, before dawn


@dataclass(frozen=True, slots=True)
class Shape:
    """A day's curve: a sinusoid between night and evening, with slow noise on it."""

    peak_per_s: float
    day_s: float = 86_400.0
    """How long a day lasts. 600 shows a whole day in ten minutes."""
    noise: float = 0.1

    def rate(self, at_s: float) -> float:
        """Return requests per second at `at_s` seconds since 1970."""
        part = (at_s % self.day_s) / self.day_s
        wave = (1 + math.cos(2 * math.pi * (part - PEAK_AT))) / 2
        level = QUIETEST + (1 - QUIETEST) * wave
        return self.peak_per_s * level * (1 + self.noise * self._noise(at_s))

    def _noise(self, at_s: float) -> float:
        """Return -1..1: fixed points every 30 s, straight lines between, the same on every run."""
        step, rest = divmod(at_s, 30.0)
        before, after = (random.Random(int(step) + k).uniform(-1, 1) for k in (0, 1))  # noqa: S311
        return before + (after - before) * rest / 30.0
