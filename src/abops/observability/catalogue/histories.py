"""Histories in which something happens at known moments, in promtool's notation."""

from collections.abc import Sequence
from typing import Final

_AFTER: Final = 60


def counted(*moments: int, after: int = _AFTER) -> str:
    """Return a counter that starts at one and grows by one at each of these samples."""
    return stepped([(moment, count) for count, moment in enumerate(moments, 2)], 1, after)


def stepped(changes: Sequence[tuple[int, float]], first: float, after: int = _AFTER) -> str:
    """Return a value that is `first` until it changes: `(sample, value from there on)`."""
    parts, begin, value = [], 0, first
    for moment, changed in changes:
        parts.append(f"{value:g}x{moment - begin - 1}")
        begin, value = moment, changed
    return " ".join([*parts, f"{value:g}x{after}"])
