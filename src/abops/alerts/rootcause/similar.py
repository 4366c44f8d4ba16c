"""Which past incidents looked like this one: what helped then may help now.

Two incidents are alike by the alerts they share, each weighed by how rare it is, in proportion to
all alerts of both (a weighted Jaccard index). An alert is compared twice: as a kind on a part and
as a kind alone, so that the same trouble on another pod still counts for half. What was in every
incident makes none of them alike.
"""

from collections import Counter
from collections.abc import Iterable
from math import log

from msgspec import Struct

Kind = tuple[str, str]
"""(entity, kind)."""
Token = tuple[str, ...]
LEAST = 0.2
"""Likeness below which showing an incident would only distract."""


class PastIncident(Struct, frozen=True):
    """What is remembered of an incident."""

    number: int
    seen: frozenset[Kind]


class Similar(Struct, frozen=True):
    """A past incident that looks alike, and why."""

    number: int
    likeness: float
    """0 to 1; 1 for the same alerts."""
    terms: tuple[str, ...]


def similar_incidents(
    seen: Iterable[Kind], past: Iterable[PastIncident], *, most: int = 5
) -> tuple[Similar, ...]:
    """Return the past incidents most like one with these alerts, the newest first among equals."""
    now = frozenset(seen)
    known = tuple(past)
    tokens = [(incident, _tokens(incident.seen)) for incident in known]
    counts = Counter(token for _, of_incident in tokens for token in of_incident)
    own = _tokens(now)

    def weight(of: Iterable[Token]) -> float:
        return sum(log((len(known) + 2) / (counts[token] + 1)) for token in of)

    found = []
    for incident, theirs in tokens:
        likeness = weight(own & theirs) / (weight(own | theirs) or 1.0)
        if likeness >= LEAST:
            found.append((round(likeness, 4), incident))
    found.sort(key=lambda pair: (-pair[0], -pair[1].number))
    rare = {kind: counts[kind] for kind in now}
    return tuple(
        Similar(incident.number, likeness, _terms(now, incident.seen, rare, len(known)))
        for likeness, incident in found[:most]
    )


def _tokens(seen: frozenset[Kind]) -> frozenset[Token]:
    return frozenset((*seen, *((kind,) for _, kind in seen)))


def _terms(
    now: frozenset[Kind], then: frozenset[Kind], counts: dict[Kind, int], incidents: int
) -> tuple[str, ...]:
    terms = []
    both = sorted(now & then, key=lambda kind: (counts[kind], kind))
    if now == then:
        terms.append(f"the same {_alerts(len(both))}")
    if both:
        entity, kind = both[0]
        seen = f"seen in {counts[both[0]]} of {incidents} past incidents"
        others = f" and {len(both) - 1} more" if len(both) > 1 else ""
        terms.append(f"both had {kind} on {entity} ({seen}){others}")
    moved = sorted({kind for _, kind in now - then} & {kind for _, kind in then - now})
    if moved:
        terms.append(f"{_list(moved)} too, on another part")
    shared = {kind for _, kind in now} & {kind for _, kind in then}
    lacking = sorted({kind for _, kind in then} - shared)
    if lacking:
        terms.append(f"then also {_list(lacking)}")
    new = sorted({kind for _, kind in now} - shared)
    if new:
        terms.append(f"now also {_list(new)}")
    return tuple(terms)


def _alerts(count: int) -> str:
    return "alert" if count == 1 else f"{count} alerts"


def _list(names: list[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
