"""Is the criterion for whole streams the one of the alert service?

The correlator of the service takes the alerts one by one, without learning from them; its groups
must be those that the fast way finds. If they are not, all figures would be of something else.
"""

from collections.abc import Sequence

import numpy as np
from data import Numbers, Stream
from forest import grown, links, share_of

from abops.alerts.correlate.affinity import Affinity
from abops.alerts.correlate.join import Correlator, Setting, Sighting
from abops.alerts.correlate.topology import Place

SETTINGS = ((5.0, -20.0), (60.0, 0.0), (300.0, 0.2), (1_536.0, 0.5))
ALERTS = 4_000


class TwinsDifferError(AssertionError):
    """The fast grouping is not that of the alert service."""


def check(
    stream: Stream,
    affinity: Affinity,
    rare_s: float,
    settings: Sequence[tuple[float, float]] = SETTINGS,
) -> None:
    """Compare both on a part of a stream with an attack in it."""
    attacked = np.flatnonzero(stream.labels)
    begin = max(int(attacked[0]) - ALERTS // 2, 0) if len(attacked) else 0
    part = stream._replace(
        times=stream.times[begin : begin + ALERTS], kinds=stream.kinds[begin : begin + ALERTS]
    )
    for gap_s, tau in settings:
        setting = Setting(gap_s, tau, rare_s)
        one, other = streamed(part, affinity, setting), fast(part, affinity, setting)
        if not (first_of_each(one) == first_of_each(other)).all():
            raise TwinsDifferError(f"gap {gap_s} s, tau {tau}: other groups than the service's")


def first_of_each(groups: Numbers) -> Numbers:
    """Name each group by its first alert, so that two groupings can be compared."""
    _, first, of_alert = np.unique(groups, return_index=True, return_inverse=True)
    named: Numbers = first[of_alert]
    return named


def fast(stream: Stream, affinity: Affinity, setting: Setting) -> Numbers:
    """Group as the benchmark does."""
    names = stream.kind_names
    evidence = np.array([[1.0 if a == b else affinity.between(a, b) for b in names] for a in names])
    each = np.array([affinity.rarity(kind, setting.rare_s) for kind in names])
    share = share_of(evidence, setting.tau) * np.minimum(each[:, None], each[None, :])
    pairs = links(stream.times, stream.kinds, setting.gap_s)
    return next(grown(pairs, pairs.distances(share), (setting.gap_s,)))


def streamed(stream: Stream, affinity: Affinity, setting: Setting) -> Numbers:
    """Group as the alert service does, alert by alert."""
    correlator = Correlator(setting=setting)
    correlator.affinity = _Opaque(affinity, stream.kind_names)
    into: dict[int, int] = {}
    groups: list[int] = []
    for at, kind in zip(stream.times.tolist(), stream.kinds.tolist(), strict=True):
        own = _opaque(kind)
        sighting = Sighting(own, Place("network", own), at)
        found = correlator.match(sighting).groups
        group = found[0] if found else len(groups)
        for absorbed in found[1:]:
            correlator.merge(absorbed, group)
            into[absorbed] = group
        correlator.note(sighting, group)
        groups.append(group)
    return np.array([_last(into, group) for group in groups])


def _last(into: dict[int, int], group: int) -> int:
    while group in into:
        group = into[group]
    return group


def _opaque(kind: int) -> str:
    """Return a name that has no word in common with another kind's, and is no other's place."""
    return f"k{kind:03}"


class _Opaque(Affinity):
    """What was learned of kinds, asked for by their opaque names."""

    def __init__(self, affinity: Affinity, names: Sequence[str]) -> None:
        super().__init__()
        self._known = affinity
        self._names = {_opaque(number): name for number, name in enumerate(names)}

    def between(self, a: str, b: str) -> float:
        """Return how much two kinds belong together."""
        return self._known.between(self._names[a], self._names[b])

    def rarity(self, kind: str, rare_s: float) -> float:
        """Return how rare a kind is."""
        return self._known.rarity(self._names[kind], rare_s)
