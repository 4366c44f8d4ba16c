"""When it really began.

An alert comes late: its hold time has to pass first, so the last of the "normal" values may
already belong to the incident, and a comparison with them hides it. Pettitt's test finds the
most likely step of each series by ranks, so that no single spike decides. The incident began at
the median of the steps that are surely there, each counted by how sure it is.
"""

from collections.abc import Iterable, Sequence

from abops.alerts.rootcause.model import Sample, Series

SURE = 6.9
"""Strength from which a step is no chance: p = 2 exp(-strength) is .002."""
LEAST_NORMAL = 30
"""Values that must remain to know what is normal."""


def step(values: Sequence[float]) -> tuple[float, int]:
    """Return the strength of the likeliest step and the position of the first value after it."""
    n = len(values)
    ranks = _ranks(values)
    sum_so_far, strongest, position = 0.0, 0.0, n
    for index in range(n - 1):
        sum_so_far += 2 * ranks[index] - (n + 1)
        if abs(sum_so_far) > strongest:
            strongest, position = abs(sum_so_far), index + 1
    return 6 * strongest**2 / (n**3 + n**2), position


def onset(metrics: Iterable[Series]) -> int | None:
    """Return the position at which most series step, counted from the first normal value.

    All series must be as long as each other. None: they are not, or nothing steps.
    """
    metrics = tuple(metrics)
    if len({len(series.normal) for series in metrics}) != 1:
        return None
    steps = []
    for series in metrics:
        strength, position = step(_filled((*series.normal, *series.during)))
        if strength > SURE:
            steps.append((position, strength))
    steps.sort()
    half, so_far = sum(strength for _, strength in steps) / 2, 0.0
    for position, strength in steps:
        so_far += strength
        if so_far >= half:
            return position
    return None


def from_onset(metrics: Sequence[Series]) -> tuple[Series, ...]:
    """Move what belongs to the incident out of normal, when it began earlier than was thought."""
    began = onset(metrics)
    if began is None or not LEAST_NORMAL <= began < len(metrics[0].normal):
        return tuple(metrics)
    moved = []
    for series in metrics:
        values = (*series.normal, *series.during)
        moved.append(
            Series(series.entity, series.metric, values[:began], values[began:], series.worse)
        )
    return tuple(moved)


def _filled(values: Sequence[Sample]) -> list[float]:
    """Carry the last known value over gaps; before the first one, carry that one back."""
    known = next((value for value in values if value is not None), 0.0)
    filled = []
    for value in values:
        known = known if value is None else value
        filled.append(known)
    return filled


def _ranks(values: Sequence[float]) -> list[float]:
    """Return ranks from 1; equal values share the mean of theirs."""
    ordered = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    start = 0
    while start < len(ordered):
        end = start
        while end + 1 < len(ordered) and values[ordered[end + 1]] == values[ordered[start]]:
            end += 1
        for place in range(start, end + 1):
            ranks[ordered[place]] = (start + end) / 2 + 1
        start = end + 1
    return ranks
