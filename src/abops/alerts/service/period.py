"""What the alerts of a period cost: figures for the page, the terminal and the letter. Pure."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from statistics import median
from typing import Final

from msgspec import Struct

from abops.alerts.score.fatigue import Closed, Fatigue, KindRow
from abops.alerts.store.statistics import Lived

FLAPS: Final = 3
"""Times an incident's alerts ended and began again until it counts as one that flapped."""


class KindFigures(Struct, frozen=True):
    """One kind of alert within a period; None: nobody answered, nothing ended."""

    kind: str
    incidents: int
    alerts: int
    acked: int
    noise: int
    mtta_s: float | None
    mttr_s: float | None
    proposals: tuple[KindRow, ...]


class Statistics(Struct, frozen=True):
    """What a period cost, and the one before it."""

    since: datetime
    until: datetime
    now: Fatigue
    before: Fatigue
    kinds: tuple[KindFigures, ...]
    """Every kind, the most frequent first."""
    unresolved: tuple[tuple[int, str], ...]
    """Number and title of what opened then and is not over."""


def closed(incident: Lived) -> Closed:
    """Return the incident as the fatigue report counts it."""
    return Closed(
        number=incident.number,
        kind=incident.kind,
        alerts=incident.alerts,
        opened_at=incident.opened_at,
        acked_at=incident.acked_at,
        resolved_at=incident.resolved_at,
        resolved_by=incident.resolved_by,
        flapped=incident.quiet >= FLAPS,
        severity=incident.severity,
    )


def by_kind(found: Sequence[Lived], proposals: Sequence[KindRow]) -> tuple[KindFigures, ...]:
    """Count each kind, the most frequent first."""
    kinds: dict[str, list[Lived]] = defaultdict(list)
    for incident in found:
        kinds[incident.kind].append(incident)
    figures = []
    for kind, lived in kinds.items():
        acks = [i.acked_at - i.opened_at for i in lived if i.acked_at is not None]
        ends = [i.resolved_at - i.opened_at for i in lived if i.resolved_at is not None]
        figures.append(
            KindFigures(
                kind=kind,
                incidents=len(lived),
                alerts=sum(i.alerts for i in lived),
                acked=len(acks),
                noise=sum(i.noise for i in lived),
                mtta_s=median(acks) if acks else None,
                mttr_s=median(ends) if ends else None,
                proposals=tuple(row for row in proposals if row.kind == kind),
            )
        )
    return tuple(sorted(figures, key=lambda f: (-f.incidents, -f.alerts, f.kind)))
