"""The charts of an objective, drawn by the server: a line, its limits, and gaps as gaps.

A page about a promise is read on a phone at night and printed for a meeting: it needs no script.
Coordinates are those of the SVG's own box; colours come from the style sheet.
"""

import math
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

WIDTH, HEIGHT = 720, 210
LEFT, RIGHT, TOP, BOTTOM = 56, 8, 10, 34
_STEPS: Final = tuple(
    timedelta(minutes=m) for m in (5, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 5760, 10080)
)
_TICKS_AT_MOST: Final = 6
_SIZES: Final = (0.0, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
_ROUND: Final = (1, 2, 2.5, 5, 10)
_DAY: Final = timedelta(days=1)


class Tick(Struct, frozen=True):
    """A mark on an axis, at its place in the box."""

    place: float
    text: str


class Limit(Struct, frozen=True):
    """A labelled line across the chart."""

    value: float
    text: str


class Drawn(Struct, frozen=True):
    """One line: an SVG path, and its newest value."""

    name: str
    path: str
    newest: float | None
    low: float | None
    high: float | None


class Chart(Struct, frozen=True):
    """A chart, ready for its template."""

    title: str
    lines: tuple[Drawn, ...]
    limits: tuple[Tick, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to draw."""
        return all(line.newest is None and not line.path for line in self.lines)


class Scale(Struct, frozen=True):
    """Where a value stands: its place between bottom (0) and top (1), and the ticks."""

    place: Callable[[float], float]
    ticks: tuple[float, ...]
    text: Callable[[float], str]


def linear(values: Sequence[float], *, most: float, text: Callable[[float], str]) -> Scale:
    """Return a scale from zero or lower to `most` or higher, with round ticks."""
    low, high = min([0.0, *values]), max([most, *values])
    if high <= low:
        high = low + 1
    step = _round_step((high - low) / 4)
    low, high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    count = round((high - low) / step)
    return Scale(
        lambda value: (value - low) / (high - low),
        tuple(low + step * index for index in range(count + 1)),
        text,
    )


def by_size(values: Sequence[float], *, most: float) -> Scale:
    """Return a scale on which 1 and 1,000 can both be read: the logarithm of one more."""
    highest = max([most, *values]) * 1.1
    return Scale(
        lambda value: math.log1p(max(value, 0)) / math.log1p(highest),
        tuple(tick for tick in _SIZES if tick <= highest),
        lambda value: f"{value:g}",
    )


def _round_step(step: float) -> float:
    size: float = 10.0 ** math.floor(math.log10(step))
    return next(factor * size for factor in _ROUND if factor * size >= step * (1 - 1e-9))


def chart(
    title: str,
    lines: Sequence[tuple[str, Sequence[float | None]]],
    span: tuple[datetime, datetime],
    scale: Scale,
    limits: Sequence[Limit] = (),
) -> Chart:
    """Draw lines whose values are spread evenly over `span`."""

    def y(value: float) -> float:
        share: float = min(max(scale.place(value), 0.0), 1.0)
        return round(TOP + (1 - share) * (HEIGHT - TOP - BOTTOM), 1)

    return Chart(
        title=title,
        lines=tuple(_drawn(name, values, y) for name, values in lines),
        limits=tuple(Tick(y(limit.value), limit.text) for limit in limits),
        across=_times(*span),
        up=tuple(Tick(y(tick), scale.text(tick)) for tick in scale.ticks),
    )


def _drawn(name: str, values: Sequence[float | None], y: Callable[[float], float]) -> Drawn:
    step = (WIDTH - LEFT - RIGHT) / max(len(values) - 1, 1)
    parts: list[str] = []
    pen_down = False
    for index, value in enumerate(values):
        if value is None or math.isnan(value):
            pen_down = False
            continue
        parts.append(f"{'L' if pen_down else 'M'}{LEFT + index * step:.1f} {y(value)}")
        if not pen_down:
            parts.append("h0.1")  # a value between two gaps is a dot
        pen_down = True
    known = [value for value in values if value is not None and not math.isnan(value)]
    return Drawn(
        name,
        "".join(parts),
        known[-1] if known else None,
        min(known, default=None),
        max(known, default=None),
    )


def _times(start: datetime, end: datetime) -> tuple[Tick, ...]:
    span = end - start
    step = next((s for s in _STEPS if span / s <= _TICKS_AT_MOST), _STEPS[-1])
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    first = midnight + step * math.ceil((start - midnight) / step)
    ticks = []
    while first <= end:
        place = LEFT + (first - start) / span * (WIDTH - LEFT - RIGHT)
        form = "%m-%d" if step >= _DAY else "%H:%M"
        ticks.append(Tick(round(place, 1), f"{first:{form}}"))
        first += step
    return tuple(ticks)
