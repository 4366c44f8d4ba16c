"""Which kinds come together, learned from the stream.

Normalised pointwise mutual information over windows of one second (Bouma 2009): 1 when two kinds
only ever come together, 0 when they are independent, -1 when they never meet. Each alert counts
in two grids, half a second apart, so that a pair is not missed because a border fell between
its halves. Few sightings shrink towards 0. What was learned halves every 14 days.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final, Self

from msgspec import Struct, convert, to_builtins

WINDOW_S: Final = 1.0
GRIDS: Final = (0.0, 0.5)
SHRINK: Final = 5.0
HALF_LIFE_S: Final = 14 * 86_400.0
WATCHED_AT_LEAST_S: Final = 86_400.0
"""A kind is not called common before it has come often in a whole day."""
NEVER: Final = -1.0
_RESCALE_AT: Final = 1e9
PAIRS_AT_MOST: Final = 50_000
"""Pairs that are remembered; beyond it the half that was seen least is forgotten."""
KINDS_A_WINDOW: Final = 64
"""Kinds of one window that are paired; more at once say nothing about any two of them."""


class AffinityState(Struct):
    """All that a restart must not lose."""

    windows: float = 0.0
    kinds: dict[str, float] = {}
    pairs: list[tuple[str, str, float]] = []
    began: float | None = None
    """When a sighting counted 1; one of today counts more."""
    seconds: float = 0.0
    """How long it has watched, weighed as the sightings are."""
    at: float | None = None
    """Until when that was counted."""


class Affinity:
    """Learns from each alert, in the order of their receipt, and says which kinds go together."""

    def __init__(self) -> None:
        self._windows = 0.0
        self._kinds: dict[str, float] = {}
        self._pairs: dict[tuple[str, str], float] = {}
        self._began: float | None = None
        self._seconds = 0.0
        self._at: float | None = None
        self._current: list[tuple[int, set[str]]] = [(-1, set()) for _ in GRIDS]

    def observe(self, kind: str, at: float) -> None:
        """Count an alert; `at` in seconds, not earlier than the one before."""
        if self._began is None:
            self._began = at
        for position, offset in enumerate(GRIDS):
            window, kinds = self._current[position]
            own = math.floor((at + offset) / WINDOW_S)
            if own != window:
                self._count(kinds, at)
                kinds = set()
                self._current[position] = (own, kinds)
            kinds.add(kind)

    def between(self, a: str, b: str) -> float:
        """Return how much two kinds belong together, -1 to 1."""
        together = self._pairs.get((a, b) if a < b else (b, a), 0.0)
        if not together or a == b:
            return NEVER
        pair = together / self._windows
        if pair >= 1.0:
            return together / (together + SHRINK)
        if a not in self._kinds or b not in self._kinds:
            return NEVER
        alone = (self._kinds[a] / self._windows) * (self._kinds[b] / self._windows)
        return math.log(pair / alone) / -math.log(pair) * together / (together + SHRINK)

    def rarity(self, kind: str, rare_s: float) -> float:
        """Return 1 for a kind that comes every `rare_s` seconds at most, less for a common one.

        The more often a kind comes anyway, the more of its alerts meet others by chance.
        """
        count = self._kinds.get(kind, 0.0) / len(GRIDS)
        if not count or rare_s <= 0.0:
            return 1.0
        floor = WATCHED_AT_LEAST_S * self._weight(self._at or 0.0)
        return math.sqrt(min(max(self._seconds, floor) / count / rare_s, 1.0))

    def state(self) -> dict[str, Any]:
        """Return what was learned, as JSON can hold it; the windows still open are left out."""
        pairs = [(a, b, count) for (a, b), count in self._pairs.items()]
        state = AffinityState(
            self._windows, self._kinds, pairs, self._began, self._seconds, self._at
        )
        built: dict[str, Any] = to_builtins(state)
        return built

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Self:
        """Return one that goes on where the other stopped."""
        known = convert(state, AffinityState)
        affinity = cls()
        affinity._windows = known.windows
        affinity._kinds = dict(known.kinds)
        affinity._pairs = {(a, b): count for a, b, count in known.pairs}
        affinity._began = known.began
        affinity._seconds, affinity._at = known.seconds, known.at
        return affinity

    @classmethod
    def learned_from(cls, stream: Iterable[tuple[str, float]]) -> Self:
        """Learn from kinds and times in their order."""
        affinity = cls()
        at = 0.0
        for kind, at in stream:
            affinity.observe(kind, at)
        for position, (window, kinds) in enumerate(affinity._current):
            affinity._count(kinds, at)
            affinity._current[position] = (window, set())
        return affinity

    def _weight(self, at: float) -> float:
        """Return what a sighting counts now: later ones more, which halves the earlier ones."""
        return math.exp2((at - self._began) / HALF_LIFE_S) if self._began is not None else 1.0

    def _count(self, kinds: set[str], at: float) -> None:
        if not kinds:
            return
        weight = self._weight(at)
        if weight > _RESCALE_AT:
            self._rescale(weight, at)
            weight = 1.0
        self._windows += weight
        self._seconds += weight * (at - (at if self._at is None else self._at))
        self._at = at
        ordered = sorted(kinds)
        for kind in ordered:
            self._kinds[kind] = self._kinds.get(kind, 0.0) + weight
        ordered = ordered[:KINDS_A_WINDOW]
        for position, a in enumerate(ordered):
            for b in ordered[position + 1 :]:
                self._pairs[a, b] = self._pairs.get((a, b), 0.0) + weight
        if len(self._pairs) > PAIRS_AT_MOST:
            self._forget_half()

    def _forget_half(self) -> None:
        seen = sorted(self._pairs.items(), key=lambda item: item[1])
        self._pairs = dict(seen[len(seen) // 2 :])
        paired = {kind for pair in self._pairs for kind in pair}
        self._kinds = {kind: n for kind, n in self._kinds.items() if kind in paired}

    def _rescale(self, weight: float, at: float) -> None:
        self._began = at
        self._windows /= weight
        self._seconds /= weight
        self._kinds = {kind: count / weight for kind, count in self._kinds.items()}
        self._pairs = {pair: count / weight for pair, count in self._pairs.items()}
