"""Saying in words what a score is made of."""

import math
from collections.abc import Callable, Mapping

from abops.alerts.score.features import Features

TERMS = 3
CERTAIN = 8.0
"""Log odds beyond which the figure in a reason says no more."""

_NUMBERS: Mapping[str, Callable[[float], str]] = {
    "ln n": lambda v: (
        f"{_many(v)} alerts of this kind in this minute"
        if _many(v) != 1
        else "a single alert of this kind in this minute"
    ),
    "z": lambda v: f"{abs(v):.1f} spreads {'above' if v >= 0 else 'below'} what is usual for it",
    "new pair": lambda v: "first time on this host" if v else "seen on this host before",
    "new kind": lambda v: "a kind never seen before" if v else "a kind seen before",
    "rarity": lambda v: f"its kind comes {_once_in(v)}",
    "pair rarity": lambda v: f"on this host it comes {_once_in(v)}",
    "gap": lambda v: f"silent for {_minutes(_many(v))} before",
    "kinds in 2 min": lambda v: (
        f"{_many(v)} other kinds on the host within two minutes"
        if _many(v)
        else "nothing else on the host within two minutes"
    ),
    "rarity in 2 min": lambda v: "rare company on the host" if v > 1 else "common company",
    "rarest in 2 min": lambda v: f"with a kind that comes {_once_in(v)}",
    "severity": lambda v: f"severity {('info', 'warning', 'critical')[round(v)]}",
    "tier": lambda v: f"service of tier {v:.0f}",
    "flap share": lambda v: f"{v:.0%} of its last states were changes",
    "blast radius": lambda v: f"{_many(v)} parts depend on it",
    "hour sin": lambda _: "the hour of the day",
    "hour cos": lambda _: "the hour of the day",
    "ack time": lambda v: f"its kind is acknowledged after {_minutes(_many(v) / 60)}",
}


def strongest(reasons: Mapping[str, float], features: Features) -> tuple[str, ...]:
    """Return the three reasons that move the score most, each with its log odds."""
    ranked = sorted(reasons, key=lambda name: (-abs(reasons[name]), name))[:TERMS]
    return tuple(_words(name, features[name], reasons[name]) for name in ranked)


def _words(name: str, value: float, odds: float) -> str:
    kind, is_kind, what = name.partition("=")
    if is_kind:
        often = "often" if odds >= 0 else "seldom"
        said = f"{what}: this kind {often} needs somebody" if kind == "kind" else f"host: {what}"
    else:
        said = _NUMBERS[name](value) if name in _NUMBERS else name
    return f"{said} ({max(-CERTAIN, min(CERTAIN, odds)):+.1f})"


def _many(value: float) -> int:
    return round(math.expm1(value))


def _once_in(rarity: float) -> str:
    every = math.exp(rarity)
    return "nearly every minute" if every < TERMS else f"once in {_minutes(every)}"


def _minutes(minutes: float) -> str:
    for limit, unit, size in ((120, "min", 1), (2880, "h", 60)):
        if minutes < limit:
            return f"{minutes / size:.0f} {unit}"
    return f"{minutes / 1440:.0f} days"
