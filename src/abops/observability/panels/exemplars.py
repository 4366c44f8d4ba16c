"""Which events with a trace belong on a panel.

A board reads quantiles that rules have recorded, and Prometheus keeps exemplars with the buckets
that were scraped. A recorded series tells in its name what it was made of (level:metric:operation),
so the way back is known: the labels it still has select the buckets it came from.
"""

import math
import re
from collections.abc import Iterable, Iterator
from typing import Final

from promql_parser import VectorSelector

from abops.clients.prometheus_queries import Exemplars
from abops.observability.panels.model import Dot, Panel
from abops.observability.panels.window import Window
from abops.observability.promql import PromqlError, named, parsed, selector, walk, write_matchers

SLOTS: Final = 40
"""Stretches of time of which each has one mark, that of its slowest event."""
DRAWN: Final = frozenset({"timeseries", "heatmap"})
_QUANTILE: Final = re.compile(r"p\d+")
_TRACE: Final = re.compile(r"[0-9a-f]{32}")
_TELLING: Final = ("http_route", "task", "handler", "queue", "db_system_name", "method")
"""Labels that say what an event was; the first that it has is shown."""


def has_dots(panel: Panel) -> bool:
    """Tell whether events fit the panel: it has time to the right and seconds upwards."""
    return panel.type in DRAWN and panel.unit == "s"


def buckets_of(expr: str) -> list[str]:
    """Return selectors of the buckets that `expr` reads, directly or through recorded series."""
    try:
        found = [own for node in walk(parsed(expr)) if (own := selector(node)) is not None]
    except PromqlError:
        return []  # the panel itself tells what is wrong
    return list(dict.fromkeys(text for own in found if (text := _buckets(own))))


def _buckets(own: VectorSelector) -> str:
    metric = _scraped(named(own))
    if not metric:
        return ""
    kept = [m for m in own.matchers.matchers if m.name not in {"le", "__name__"}]
    return metric + write_matchers(kept)


def _scraped(name: str) -> str:
    """Return the buckets that a series is, or was recorded from; nothing when it is another."""
    level, metric, operation = ([*name.split(":"), "", ""] if ":" in name else ["", name, ""])[:3]
    if metric.endswith("_bucket"):
        return metric
    return f"{metric}_bucket" if level and _QUANTILE.fullmatch(operation) else ""


def dots_of(found: Iterable[Exemplars], window: Window) -> list[Dot]:
    """Return the marks of a chart: the slowest event of each stretch of time."""
    length = max(1, window.end - window.start) / SLOTS
    slowest: dict[int, Dot] = {}
    for dot in _all(found):
        slot = int((dot.at - window.start) // length)
        kept = slowest.get(slot)
        if kept is None or (dot.value, dot.at) > (kept.value, kept.at):
            slowest[slot] = dot
    return sorted(slowest.values(), key=lambda dot: (dot.at, dot.trace))


def _all(found: Iterable[Exemplars]) -> Iterator[Dot]:
    for series in found:
        labels = series.series_labels
        text = next((labels[name] for name in _TELLING if labels.get(name)), "")
        for one in series.exemplars:
            trace, value = one.labels.get("trace_id", ""), float(one.value)
            # What a service calls a trace becomes an address: nothing but an id may.
            if _TRACE.fullmatch(trace) and math.isfinite(value):
                yield Dot(one.timestamp, value, trace, text)
