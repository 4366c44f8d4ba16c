"""The production criterion for a whole stream and all gaps at once.

The correlator joins an alert to the latest one of each recent kind when `dt <= gap * share`,
where the share depends on the evidence between the two kinds alone. So each such pair has a
distance `dt / share`, and the groups at a gap are what pairs up to that distance connect. Most
pairs never matter: when a kind came twice since the other kind was last seen, its second alert
is joined to its first before it is joined to the other. Those are left out; what is left is
connected gap by gap, each on top of the smaller one.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from data import Numbers, Seconds


class Links(NamedTuple):
    """Pairs of alerts that may join, and the classes they are of."""

    alerts: int
    later: Numbers
    earlier: Numbers
    of_later: Numbers
    of_earlier: Numbers
    dt: Seconds

    def distances(self, share: Seconds) -> Seconds:
        """Return the gap from which on each pair joins; never is infinite."""
        of_pair = share[self.of_later, self.of_earlier]
        with np.errstate(divide="ignore"):
            return np.where(of_pair > 0, self.dt / np.where(of_pair > 0, of_pair, 1), np.inf)


def links(times: Seconds, classes: Numbers, most_s: float) -> Links:
    """Return the pairs of each alert with the latest of each class, most_s apart or less."""
    places = np.arange(len(times))
    before = np.full(len(times), -1)
    for own in np.unique(classes):
        of_class = places[classes == own]
        before[of_class[1:]] = of_class[:-1]
    later, earlier = [places[before >= 0]], [before[before >= 0]]
    for other in np.unique(classes):
        seen = np.where(classes == other, places, -1)
        latest = np.maximum.accumulate(seen)
        found = places[(latest > before) & (classes != other)]
        later.append(found)
        earlier.append(latest[found])
    a, b = np.concatenate(later), np.concatenate(earlier)
    dt = times[a] - times[b]
    near = dt <= most_s
    a, b = a[near], b[near]
    return Links(len(times), a, b, classes[a], classes[b], dt[near])


def share_of(evidence: Seconds, tau: float) -> Seconds:
    """Return which part of the gap an evidence bridges, as `Setting.reach_s`."""
    return np.clip((evidence - tau) / (1.0 - tau), 0.0, 1.0)


def grown(pairs: Links, distances: Seconds, gaps: Sequence[float]) -> Iterator[Numbers]:
    """Yield for each gap, ascending, in which new group each group of the gap before is.

    Before the first gap each alert is a group of its own. Groups are numbered from 0.
    """
    near = distances <= gaps[-1]
    distances = distances[near]
    step = np.searchsorted(np.asarray(gaps), distances)
    order = np.argsort(step, kind="stable")
    ends = np.searchsorted(step[order], np.arange(len(gaps)), side="right")
    later, earlier = pairs.later[near][order], pairs.earlier[near][order]
    groups, begin = pairs.alerts, 0
    for end in ends:
        into = connected(groups, later[begin:end], earlier[begin:end])
        groups = int(into.max()) + 1 if len(into) else 0
        later[end:], earlier[end:] = into[later[end:]], into[earlier[end:]]
        begin = end
        yield into


def connected(nodes: int, a: Numbers, b: Numbers) -> Numbers:
    """Return the number of each node's component."""
    root = np.arange(nodes)
    while True:
        of_a, of_b = root[a], root[b]
        apart = of_a != of_b
        if not apart.any():
            break
        a, b = of_a[apart], of_b[apart]
        np.minimum.at(root, np.maximum(a, b), np.minimum(a, b))
        while True:
            further = root[root]
            if (further == root).all():
                break
            root = further
    numbers: Numbers = np.cumsum(root == np.arange(nodes)) - 1
    return numbers[root]
