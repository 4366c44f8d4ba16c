"""How well scores rank what needs somebody above what does not."""

from collections.abc import Sequence
from itertools import groupby


def average_precision(scores: Sequence[float], labels: Sequence[int]) -> float:
    """Return precision averaged over recall. Equal scores stand together, in no order."""
    total = sum(labels)
    ranked = sorted(zip(scores, labels, strict=True), key=lambda pair: -pair[0])
    hits = taken = 0
    area = 0.0
    for _, group in groupby(ranked, key=lambda pair: pair[0]):
        values = [value for _, value in group]
        taken += len(values)
        hits += sum(values)
        area += sum(values) * hits / taken
    return area / total if total else 0.0


def recall_at(scores: Sequence[float], labels: Sequence[int], share: float) -> float:
    """Return the share of what needs somebody found in the highest `share` of all.

    Where equal scores straddle the line, they count by the part that lies above it.
    """
    total = sum(labels)
    room = int(len(scores) * share)
    ranked = sorted(zip(scores, labels, strict=True), key=lambda pair: -pair[0])
    found = 0.0
    for _, group in groupby(ranked, key=lambda pair: pair[0]):
        values = [value for _, value in group]
        found += sum(values) * min(1.0, room / len(values))
        room -= len(values)
        if room <= 0:
            break
    return found / total if total else 0.0
