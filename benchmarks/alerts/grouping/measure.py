"""How well groups match attacks: which of its pairs are together, which others are kept apart.

For every attack of a stream, over ordered pairs of one of its alerts and any other alert: the
rate of its own that share a group (TPR) and of the foreign that do not (TNR). The mean goes from
instances over stages over types of attack, so that one scan of 400,000 alerts does not outweigh
the quiet steps.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

import numpy as np
from data import Numbers, Seconds, Stream


class Point(NamedTuple):
    """How well one setting does."""

    tnr: float
    tpr: float


Instances = dict[str, Point]
"""By stream and label, as `1 dirb.0.57`."""


class Counts:
    """How many alerts of each label each group has; it follows as groups grow together."""

    def __init__(self, stream: Stream) -> None:
        self._names = [f"{stream.name} {label}" for label in stream.label_names[1:]]
        shape = len(stream.label_names), len(stream.labels)
        self._table = np.zeros(shape)
        self._table[stream.labels, np.arange(shape[1])] = 1

    def grow(self, into: Numbers) -> None:
        """Note in which group each group is now."""
        groups = int(into.max()) + 1
        self._table = np.stack([np.bincount(into, row, groups) for row in self._table])

    @property
    def groups(self) -> int:
        """Return how many there are."""
        return int(self._table.shape[1])

    def instances(self, *, noise: bool) -> Instances:
        """Judge each attack, among all alerts or among those of attacks."""
        own = self._table[1:]
        size = (self._table if noise else own).sum(axis=0)
        return dict(zip(self._names, _points(own, size), strict=True))


def _points(own: Seconds, size: Seconds) -> list[Point]:
    of_label = own.sum(axis=1)
    together = np.einsum("lg,lg->l", own, own)
    foreign = np.einsum("lg,g->l", own, size) - together
    pairs = of_label * (size.sum() - of_label)
    return [
        Point(float(1 - f / p) if p else 1.0, float(t / n**2))
        for t, f, n, p in zip(together, foreign, of_label, pairs, strict=True)
    ]


def macro(instances: Mapping[str, Point]) -> Point:
    """Return the mean over types of the mean over stages of the mean over instances."""
    types: dict[str, dict[str, list[Point]]] = defaultdict(lambda: defaultdict(list))
    for name, point in instances.items():
        kind, stage, _ = name.partition(" ")[2].split(".")
        types[kind][stage].append(point)
    of_types = [_mean(_mean(points) for points in stages.values()) for stages in types.values()]
    return _mean(of_types)


def _mean(points: Iterable[Point]) -> Point:
    points = list(points)
    return Point(fmean(p.tnr for p in points), fmean(p.tpr for p in points))


def unbeaten(points: Sequence[Point]) -> list[Point]:
    """Return those that no other beats in both, the highest TPR first."""
    best: list[Point] = []
    for point in sorted(set(points), key=lambda p: (-p.tpr, -p.tnr)):
        if not best or point.tnr > best[-1].tnr:
            best.append(point)
    return best


def area(points: Sequence[Point]) -> float:
    """Return the area under the steps of the unbeaten points."""
    total = before = 0.0
    for point in unbeaten(points):
        total += (point.tnr - before) * point.tpr
        before = point.tnr
    return total


def interval(settings: Sequence[Instances], draws: int = 200) -> tuple[float, float]:
    """Return 95 % of the areas when the attacks are drawn again, stream by stream and type."""
    names = list(settings[0])
    values = np.array([[setting[name] for name in names] for setting in settings])
    places: dict[str, list[int]] = defaultdict(list)
    for place, name in enumerate(names):
        places[name.partition(" ")[2].split(".")[0]].append(place)
    noise = np.random.default_rng(0)
    areas = []
    for _ in range(draws):
        types = noise.choice(len(places), len(places))
        drawn = [noise.choice(own, len(own)) for own in (list(places.values())[t] for t in types)]
        means = np.mean([values[:, own].mean(axis=1) for own in drawn], axis=0)
        areas.append(area([Point(float(tnr), float(tpr)) for tnr, tpr in means]))
    low, high = np.quantile(areas, (0.025, 0.975))
    return float(low), float(high)
