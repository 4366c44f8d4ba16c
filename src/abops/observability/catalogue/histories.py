"""Histories in which something happens at known moments, in promtool's notation."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from abops.observability.catalogue.alert import Case, Fired
from abops.observability.catalogue.cases import labelled

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


def since(seconds: float, step: timedelta, count: int = 400) -> str:
    """Return a time stamp that lies these seconds ago, at every moment."""
    return f"{-seconds:.10g}+{step.total_seconds():g}x{count}"


def once(
    metric: str, labels: dict[str, str], window: timedelta, step: timedelta, fired: Fired
) -> tuple[Case, ...]:
    """Return the cases of `increase(metric[window]) > 0` for long windows, with steps of their own.

    The window must not be a whole number of steps, nor must half of it or twice as much: then no
    sample lies on an edge.
    """
    begin, length = 21, int(window / step)
    series = labelled(metric, stepped([(begin, 1)], 0, 3 * length), labels)
    return (
        Case("it happened", series, (begin + length - 2) * step, (fired,)),
        Case("forgotten after the window", series, (begin + length + 2) * step),
        Case("it never happened", labelled(metric, "7x200", labels), 40 * step),
        Case("no data", {}, 40 * step),
    )
