"""When a segment counts as kept, whom it is pushed to at once, when a destination is down.

Decisions over values: the archiver asks here and does what it is told. A destination that is
down or behind must cost PostgreSQL nothing as long as others keep the promise without it; when
they do not, it is tried in spite of all.
"""

from collections.abc import Collection, Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from abops.backup.model import WalRules

FAILURES_UNTIL_DOWN: Final = 3
PROBE_EVERY_S: Final = 15.0
LEAST_FREE: Final = 0.1
"""Part of the volume that the queue leaves to PostgreSQL."""


def is_kept(rules: WalRules, destinations: Collection[str], done: Collection[str]) -> bool:
    """Tell whether the segment is kept when these destinations have it."""
    had = set(done) & set(destinations)
    if rules.all:
        return len(had) == len(set(destinations))
    if rules.require:
        return had.issuperset(rules.require)
    return len(had) >= min(rules.any or 1, len(set(destinations)))


class Breaker(Struct, frozen=True):
    """What is known about whether a destination answers."""

    failures: int = 0
    """In a row."""
    probe_at: float = 0.0
    """From when a destination that is down is tried again."""

    @property
    def is_down(self) -> bool:
        """Tell whether it failed too often in a row."""
        return self.failures >= FAILURES_UNTIL_DOWN

    def failed(self, now: float) -> "Breaker":
        """Return what is known after one more failure."""
        return Breaker(self.failures + 1, now + PROBE_EVERY_S)

    def answered(self) -> "Breaker":
        """Return what is known after a success."""
        return replace(self, failures=0, probe_at=0.0)

    def wait_s(self, now: float) -> float:
        """Return for how long it is not to be tried."""
        return max(0.0, self.probe_at - now) if self.is_down else 0.0


class Standing(Struct, frozen=True):
    """How a destination stands when a segment comes."""

    is_down: bool = False
    is_behind: bool = False
    """Something is owed to it already: newer ones queue behind."""


def push_at_once(rules: WalRules, standings: Mapping[str, Standing]) -> frozenset[str]:
    """Return to whom a segment is pushed before PostgreSQL is answered; the others are owed it.

    First those that are up and not behind; if they cannot keep the promise, those behind too, and
    at last those that are down.
    """
    for chosen in (
        {name for name, one in standings.items() if not one.is_down and not one.is_behind},
        {name for name, one in standings.items() if not one.is_down},
    ):
        if is_kept(rules, standings, chosen):
            return frozenset(chosen)
    return frozenset(standings)


class Room(Struct, frozen=True):
    """What the queue takes and what is left beside it."""

    owed_bytes: int
    free_bytes: int
    volume_bytes: int


def no_room(rules: WalRules, room: Room, size: int) -> str:
    """Say why no file of this size may be owed on top of what is; empty: it may."""
    if room.owed_bytes + size > rules.queue_max:
        return f"{room.owed_bytes} bytes are owed, {rules.queue_max} may be"
    if room.free_bytes - size < LEAST_FREE * room.volume_bytes:
        return f"less than {LEAST_FREE:.0%} of the volume would be free"
    return ""


class Gap(Struct, frozen=True):
    """A segment that a destination will never get, because there was no room to owe it."""

    destination: str
    name: str
    at: float
    reason: str


def may_drop(rules: WalRules, standing: Standing) -> bool:
    """Tell whether a destination may lose a segment: it is dead, and we were told to."""
    return rules.when_full == "drop" and standing.is_down
