"""What can be said of an alert from the alerts before it.

A kind that rings every minute tells less than one never heard before, and five kinds at once on
one host tell more than each of them. `History` counts, minute by minute, what came; `describe`
turns the counts into named numbers. Only what has been observed is used, never what comes later,
so that a model learns from exactly what it will see when it serves.

The counts are kept whole: a kind per name, a (kind, host) pair while it is among the last
`PAIRS`. Times are seconds since the epoch.
"""

import math
import re
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

Features = dict[str, float]

BUCKET_S = 60.0
"""Alerts of one minute are judged together: rules are evaluated once or twice in it."""
COMPANY_BUCKETS = 2
"""Minutes that count as "at the same time": what belongs together mostly comes within two."""
MEMORY = 0.02
"""Weight of a kind's newest minute in its usual number: the last fifty minutes with it."""
SPREAD_FLOOR = 0.1
"""Least variance of ln(1 + n): a kind that always came singly may come twice."""
PAIRS = 100_000
"""Pairs of kind and host that are remembered, about 20 MB."""
Z_LIMIT = 8.0
"""Beyond it more says nothing."""

SEVERITY = {"info": 0.0, "warning": 1.0, "critical": 2.0}
_WORD = re.compile(r"[^\W\d_]+")


class Circumstances(Struct, frozen=True):
    """What else is known when an incident is judged live. None: not known, and not used."""

    severity: str | None = None
    tier: int | None = None
    """Importance of the service in the inventory: 1 is the most important."""
    flap_share: float | None = None
    """Share of its last states that were changes."""
    blast_radius: int | None = None
    """Parts that depend on the part it speaks of."""
    hour: float | None = None
    """Hour of the day, 0 to 24, where the people are."""
    ack_s: float | None = None
    """Median seconds until somebody acknowledged this kind."""


class _Kind(Struct, array_like=True):
    """A kind: its newest minute, and what was usual until then."""

    bucket: int
    count: int = 0
    minutes: int = 0
    mean: float = 0.0
    variance: float = SPREAD_FLOOR

    def close(self) -> None:
        """Take the minute that is over into what is usual."""
        value = math.log1p(self.count)
        if self.minutes == 0:
            self.mean = value
        else:
            step = value - self.mean
            self.mean += MEMORY * step
            self.variance += MEMORY * (step * step - self.variance)
            self.variance = max(SPREAD_FLOOR, self.variance)
        self.minutes += 1


class _Pair(Struct, array_like=True):
    """A kind on one host: its newest minute and the one before."""

    bucket: int
    before: int | None = None
    count: int = 0
    minutes: int = 0


class HistoryState(Struct, frozen=True):
    """Everything a history knows, in the order in which it was last seen."""

    began: int | None = None
    kinds: dict[str, _Kind] = {}
    pairs: tuple[tuple[str, str, _Pair], ...] = ()
    recent: dict[str, dict[str, int]] = {}


class History:
    """What has come so far, of every kind and from every host."""

    def __init__(self) -> None:
        self._began: int | None = None
        self._kinds: dict[str, _Kind] = {}
        self._pairs: dict[tuple[str, str], _Pair] = {}
        self._recent: dict[str, dict[str, int]] = {}

    def observe(self, kind: str, host: str, at: float, count: int = 1) -> None:
        """Count alerts. An alert older than its kind's newest counts as one of that minute."""
        bucket = int(at // BUCKET_S)
        if self._began is None:
            self._began = bucket
        known = self._kinds.get(kind)
        if known is None:
            known = self._kinds[kind] = _Kind(bucket)
        elif bucket > known.bucket:
            known.close()
            known.bucket, known.count = bucket, 0
        known.count += count
        self._observe_pair((kind, host), bucket, count)
        recent = self._recent.setdefault(host, {})
        recent[kind] = max(bucket, recent.get(kind, bucket))

    def _observe_pair(self, key: tuple[str, str], bucket: int, count: int) -> None:
        pair = self._pairs.get(key)
        if pair is None:
            if len(self._pairs) >= PAIRS:
                del self._pairs[next(iter(self._pairs))]
            pair = self._pairs[key] = _Pair(bucket)
        elif bucket > pair.bucket:
            pair.before, pair.bucket, pair.count = pair.bucket, bucket, 0
            pair.minutes += 1
            self._pairs[key] = self._pairs.pop(key)  # the longest silent one is first
        pair.count += count

    def describe(
        self, kind: str, host: str, at: float, around: Circumstances | None = None
    ) -> Features:
        """Return the features of an alert that has been observed."""
        bucket = int(at // BUCKET_S)
        known = self._kinds.get(kind) or _Kind(bucket)
        pair = self._pairs.get((kind, host)) or _Pair(bucket)
        began = bucket if self._began is None else self._began
        age = max(0, bucket - began)
        size = math.log1p(pair.count)
        seen = known.minutes
        z = (math.log1p(known.count) - known.mean) / math.sqrt(known.variance) if seen else 0.0
        last = age if pair.before is None else max(0, pair.bucket - pair.before)
        rarity = _rarity(age, seen)
        here, rare_here, rarest_here = self._company(host, kind, bucket, age)
        features = {
            f"kind={kind}": 1.0,
            f"class={host_class(host)}": 1.0,
            "ln n": size,
            "z": max(-Z_LIMIT, min(Z_LIMIT, z)),
            "new pair": float(pair.minutes == 0),
            "new kind": float(seen == 0),
            "rarity": rarity,
            "pair rarity": _rarity(age, pair.minutes),
            "gap": math.log1p(last),
            "kinds in 2 min": math.log1p(here),
            "rarity in 2 min": math.log1p(rare_here),
            "rarest in 2 min": rarest_here,
        }
        if around is not None:
            features.update(_live(around))
        return features

    def _company(self, host: str, kind: str, bucket: int, age: int) -> tuple[int, float, float]:
        """Return how many other kinds came from this host just now, and how rare they are."""
        recent = self._recent.get(host, {})
        others, total, most = 0, 0.0, 0.0
        for other, when in list(recent.items()):
            if bucket - when >= COMPANY_BUCKETS:
                del recent[other]
            elif other != kind:
                rarity = _rarity(age, self._kinds[other].minutes)
                others += 1
                total += rarity
                most = max(most, rarity)
        if not recent:
            self._recent.pop(host, None)
        return others, total, most

    def state(self) -> HistoryState:
        """Return all of it as one value, which `msgspec.json` writes and reads."""
        return HistoryState(
            self._began,
            {name: replace(kind) for name, kind in self._kinds.items()},
            tuple((*key, replace(pair)) for key, pair in self._pairs.items()),
            {host: dict(kinds) for host, kinds in self._recent.items()},
        )

    @classmethod
    def restore(cls, state: HistoryState) -> Self:
        """Make it from what `state` returned."""
        history = cls()
        history._began = state.began
        history._kinds = {name: replace(kind) for name, kind in state.kinds.items()}
        history._pairs = {(kind, host): replace(pair) for kind, host, pair in state.pairs}
        history._recent = {host: dict(kinds) for host, kinds in state.recent.items()}
        return history


def _rarity(age: int, minutes: int) -> float:
    """Return how seldom something was seen: ln of minutes watched per minute with it."""
    return math.log((age + 2) / (minutes + 1)) if age >= minutes else 0.0


def _live(around: Circumstances) -> Features:
    found: Features = {}
    if around.severity in SEVERITY:
        found["severity"] = SEVERITY[around.severity]
    if around.tier is not None:
        found["tier"] = float(around.tier)
    if around.flap_share is not None:
        found["flap share"] = around.flap_share
    if around.blast_radius is not None:
        found["blast radius"] = math.log1p(around.blast_radius)
    if around.hour is not None:
        angle = around.hour / 24 * math.tau
        found["hour sin"], found["hour cos"] = math.sin(angle), math.cos(angle)
    if around.ack_s is not None:
        found["ack time"] = math.log1p(around.ack_s)
    return found


def host_class(host: str) -> str:
    """Return what sort of host it is: the last word of its name without number or hash."""
    words: list[str] = _WORD.findall(host)
    return words[-1].lower() if words else ""
