"""Twenty histories of errors: how many events a second there were, and how many of them bad.

Times count from the end of a calm start, which is as long as the longest window that decides.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0


@dataclass(frozen=True)
class Shape:
    """One history. `ratio` and `rate` are functions of seconds since the calm start's end."""

    name: str
    ratio: Callable[[float], float]
    rate: Callable[[float], float] = lambda _: 10.0
    lasts: float = 2 * HOUR
    calm: float = 7 * HOUR
    step: float = 15.0
    every: float = 60.0
    gap: tuple[float, float] | None = None
    """Nothing was scraped between these times."""
    resets_at: float | None = None
    """The service was restarted: its counters begin again."""
    is_born_late: bool = False
    """There is no series of bad events before the first of them."""

    def series(self) -> tuple[list[float | None], list[float | None]]:
        """Return the counters of good and of bad events, a sample a step."""
        good = bad = 0.0
        goods: list[float | None] = []
        bads: list[float | None] = []
        for index in range(int((self.calm + self.lasts) / self.step) + 1):
            at = index * self.step - self.calm
            if self.resets_at is not None and self.resets_at <= at < self.resets_at + self.step:
                good = bad = 0.0
            events = self.rate(at) * self.step if index else 0.0
            share = self.ratio(at) if at > 0 else 0.0
            good, bad = good + events * (1 - share), bad + events * share
            is_missed = self.gap is not None and self.gap[0] <= at < self.gap[1]
            goods.append(None if is_missed else good)
            bads.append(None if is_missed or (self.is_born_late and bad == 0) else bad)
        return goods, bads


def during(start: float, end: float, ratio: float) -> Callable[[float], float]:
    """Return a share of bad events between two times, and none outside."""
    return lambda at: ratio if start < at <= end else 0.0


def every_day(start: float, lasts: float, ratio: float) -> Callable[[float], float]:
    """Return a share of bad events at the same time of each day."""
    return lambda at: ratio if start < at % DAY <= start + lasts else 0.0


_SLOW: Mapping[str, float] = {"calm": 74 * HOUR, "lasts": 30 * HOUR, "step": 60.0, "every": 300.0}


def _slow(name: str, ratio: Callable[[float], float], **more: Callable[[float], float]) -> Shape:
    return Shape(name, ratio, **more, **_SLOW)  # type: ignore[arg-type] # floats and functions


SHAPES = (
    Shape("no errors", during(0, 0, 0)),
    Shape("full outage, 20 min", during(0, 20 * MINUTE, 1)),
    Shape("steady 0.5 %", during(0, 2 * HOUR, 0.005)),
    Shape("steady 2 %", during(0, 2 * HOUR, 0.02)),
    Shape("steady 10 %", during(0, 2 * HOUR, 0.1)),
    Shape("steady, 1.4 % just under the page", during(0, 2 * HOUR, 0.014)),
    Shape("steady, 1.5 % just over the page", during(0, 2 * HOUR, 0.015)),
    Shape("spike of 30 s", during(0, 30, 1)),
    Shape("spike of 2 min", during(0, 2 * MINUTE, 1)),
    Shape("ramp to 5 % in 2 h", lambda at: 0.05 * at / (2 * HOUR)),
    Shape(
        "5 min bad, 5 min good, 10 %", lambda at: 0.1 if at % (10 * MINUTE) < 5 * MINUTE else 0.0
    ),
    Shape("low traffic: 1 a minute, all fail", during(0, 2 * HOUR, 1), lambda _: 1 / 60),
    Shape("low traffic: 1 a minute, one fails", during(0, 60, 1), lambda _: 1 / 60),
    Shape("outage with 30 min unseen", during(0, HOUR, 0.2), gap=(10 * MINUTE, 40 * MINUTE)),
    Shape("restart within an outage", during(0, HOUR, 0.2), resets_at=10 * MINUTE),
    Shape(
        "traffic stops in an outage",
        during(0, 2 * HOUR, 0.5),
        lambda at: 10.0 if at < 15 * MINUTE else 0.0,
    ),
    Shape("first errors ever", during(0, HOUR, 0.05), is_born_late=True),
    _slow("slow burn, 0.5 %", during(0, 30 * HOUR, 0.005)),
    _slow("slow burn, 0.27 %", during(0, 30 * HOUR, 0.0027)),
    _slow(
        "20 bad minutes each night of little traffic",
        every_day(2 * HOUR, 20 * MINUTE, 0.3),
        rate=lambda at: 10 * (0.55 - 0.45 * math.cos(at / DAY * 2 * math.pi)),
    ),
)
