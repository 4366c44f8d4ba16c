"""Alerts that pass by themselves.

Some kinds resolve within a minute and a half nearly every time: a restart, a failover, a slow
scrape. For each kind we count how often, starting from one of each (all shares equally likely),
and hold its message as long as it takes to see. A kind that is seldom seen is never held, a
critical alert neither, and nothing is lost: what still fires after the hold is told.
"""

from collections.abc import Mapping
from typing import Any, Final, Self

import msgspec
from msgspec import Struct

from abops.alerts.model import Severity

HOLD_S: Final = 90
"""Seconds a message is held, and within which an alert counts as passing."""
SURE: Final = 0.9
"""Share of passing alerts above which a kind is held: nine of ten would have been for nothing."""


class Counts(Struct):
    """How the alerts of one kind ended."""

    passed: int = 0
    stayed: int = 0


class Hold(Struct, frozen=True):
    """Whether a message waits, and why."""

    until: float | None
    """Seconds since the epoch. None: told at once."""
    probability: float
    reason: str


class Transients(Struct):
    """What was learned of each kind. It changes with every alert that ends or stays."""

    kinds: dict[str, Counts] = {}

    def learn(self, kind: str, lasted_s: float) -> None:
        """Learn once per alert: when it resolves, or when the hold is over and it still fires.

        Learning of an alert that stays only when it resolves would favour those that pass.
        """
        counts = self.kinds.setdefault(kind, Counts())
        if lasted_s <= HOLD_S:
            counts.passed += 1
        else:
            counts.stayed += 1

    def probability(self, kind: str) -> float:
        """Return how likely an alert of this kind resolves within the hold."""
        counts = self.kinds.get(kind, Counts())
        return (counts.passed + 1) / (counts.passed + counts.stayed + 2)

    def hold(self, kind: str, severity: Severity, started_at: float) -> Hold:
        """Say until when the message of an alert waits."""
        counts = self.kinds.get(kind, Counts())
        found = self.probability(kind)
        seen = counts.passed + counts.stayed
        words = f"{counts.passed} of {seen} of this kind resolved within {HOLD_S} s"
        if severity == "critical":
            return Hold(None, found, f"critical is never held; {words}")
        if found > SURE:
            return Hold(started_at + HOLD_S, found, f"held for {HOLD_S} s: {words}")
        return Hold(None, found, words)

    def state(self) -> dict[str, Any]:
        """Return what was learned, as JSON can hold it."""
        built: dict[str, Any] = msgspec.to_builtins(self)
        return built

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Self:
        """Return what was learned before."""
        return msgspec.convert(state, cls)
