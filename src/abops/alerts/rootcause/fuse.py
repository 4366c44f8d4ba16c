"""Making one ranking of several that cannot be compared by their scores.

Reciprocal ranks: a part gets 1 / (60 + rank) from every method that found it (Cormack, Clarke,
Buettcher 2009). Parts with equal scores share the best rank among them. What people are shown is
not that sum, whose differences are tiny, but the mean share of the evidence.
"""

from collections.abc import Iterable

from msgspec import Struct

from abops.alerts.rootcause.model import Ranking

K = 60


class Fused(Struct, frozen=True):
    """A part, its place by all methods, and the share to show."""

    entity: str
    reciprocal: float
    share: float


def ranks(ranking: Ranking) -> dict[str, int]:
    """Return the rank of every entity, from 1; equals share the best."""
    ordered = sorted(ranking.scores.values(), reverse=True)
    place: dict[float, int] = {}
    for position, score in enumerate(ordered, start=1):
        place.setdefault(score, position)
    return {entity: place[score] for entity, score in ranking.scores.items()}


def fuse(rankings: Iterable[Ranking], k: int = K) -> tuple[Fused, ...]:
    """Return the entities, the likeliest first; a share is never above that of a better place."""
    used = tuple(ranking for ranking in rankings if ranking.scores)
    reciprocal: dict[str, float] = {}
    share: dict[str, float] = {}
    for ranking in used:
        shares = ranking.shares
        for entity, rank in ranks(ranking).items():
            reciprocal[entity] = reciprocal.get(entity, 0.0) + 1 / (k + rank)
            share[entity] = share.get(entity, 0.0) + shares[entity] / len(used)
    ordered = sorted(reciprocal, key=lambda e: (-reciprocal[e], -share[e], e))
    fused: list[Fused] = []
    for entity in ordered:
        most = fused[-1].share if fused else 1.0
        fused.append(Fused(entity, reciprocal[entity], min(share[entity], most)))
    return tuple(fused)
