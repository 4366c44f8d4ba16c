"""What can be promised about a part: its kind's indicators, and the bucket edges they are cut at.

A histogram knows how many events lie below the edges of its buckets and nothing between them,
so a promise of "within 0.4 s" cannot be kept account of. The edges stand here once, because the
inventory is checked below every context that measures; a test compares them with the libraries
that make the histograms.
"""

from collections.abc import Mapping
from typing import Final, Literal

from msgspec import Struct

Sli = Literal["availability", "latency", "freshness", "probe"]
TIMED: Final = frozenset({"latency", "freshness"})
"""Indicators that need a threshold."""

REQUEST_EDGES: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
WAIT_EDGES: Final = (1, 5, 15, 60, 300)
POST_DELAY_EDGES: Final = (0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600)
NOTIFICATION_EDGES: Final = (0.5, 1, 2, 5, 10, 15, 20, 30, 45, 60, 120, 300, 900, 1800)


class Indicator(Struct, frozen=True):
    """Which events an objective counts, and where they can be cut in good and bad."""

    events: str
    edges: tuple[float, ...] = ()


INDICATORS: Final[Mapping[tuple[str, Sli], Indicator]] = {
    ("fastapi", "availability"): Indicator("requests"),
    ("fastapi", "latency"): Indicator("requests", REQUEST_EDGES),
    ("aiogram", "availability"): Indicator("updates"),
    ("aiogram", "latency"): Indicator("updates", REQUEST_EDGES),
    ("celery", "availability"): Indicator("tasks"),
    ("celery", "latency"): Indicator("waits", WAIT_EDGES),
    ("celery", "freshness"): Indicator("posts", POST_DELAY_EDGES),
    ("postgres", "availability"): Indicator("backups"),
    ("alert_service", "latency"): Indicator("notifications", NOTIFICATION_EDGES),
}
PROBES: Final = Indicator("probes")


def indicator(kind: str, sli: Sli) -> Indicator | None:
    """Return what `sli` means for a part of this kind; None where it means nothing."""
    return PROBES if sli == "probe" else INDICATORS.get((kind, sli))


def slis_of(kind: str) -> tuple[Sli, ...]:
    """Return the indicators of a kind, without the probe that any part may have."""
    return tuple(sli for known, sli in INDICATORS if known == kind)
