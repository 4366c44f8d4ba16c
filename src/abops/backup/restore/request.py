"""What a restore is planned from and what the plan says, as frozen values."""

from pathlib import Path

from msgspec import Struct

from abops.backup.model import SetFacts
from abops.backup.restore.past import Past
from abops.backup.restore.target import Target
from abops.kernel.errors import OpsError


class RestoreRefusedError(OpsError):
    """This cannot be restored as asked."""

    hint = "See what there is: abops backup list"


class Place(Struct, frozen=True, kw_only=True):
    """The folder that is restored into, as it is now."""

    folder: Path
    empty: bool = True
    """It is not there, or nothing is in it."""
    live: bool = False
    """A server runs on it."""
    cluster: bool = False
    """A cluster's files are in it."""
    free: int
    """Bytes that may still be written there."""


class Holding(Struct, frozen=True, kw_only=True):
    """What one destination says of itself."""

    destination: str
    generation: str = "g1"
    alive: bool = True
    reason: str = ""
    """Why it cannot be used, when it is not alive."""
    sets: tuple[SetFacts, ...] = ()


class Rehearsal(Struct, frozen=True, kw_only=True):
    """What an earlier restore took, for the estimate of this one."""

    destination: str
    size: int
    segments: int
    phases: dict[str, float]


class Request(Struct, frozen=True, kw_only=True):
    """What was asked for."""

    target: Target
    place: Place
    label: str = ""
    """The set, when somebody insists on one."""
    sources: tuple[str, ...] = ()
    """Destinations that may be used; empty: all that answer."""
    timeline: int | None = None
    delta: bool = False
    spoiled: frozenset[tuple[str, str]] = frozenset()
    """Destination and label of sets that a check found damaged."""


class Plan(Struct, frozen=True, kw_only=True):
    """What will be done."""

    source: str
    generation: str
    facts: SetFacts
    target: Target
    timeline: int
    logs: tuple[str, ...]
    """Destinations that are asked for log, the source first."""
    wal_first: str
    wal_last: str
    segments: int
    until: float | None
    """Up to when the log that is there leads; None when only the set itself is asked for."""
    expected_s: float | None
    """None: nothing like it was measured yet."""
    need: int
    """Bytes that must be free."""
    folder: Path
    delta: bool
    dead: tuple[str, ...] = ()
    past: Past | None = None
    """The source is read as it was then."""
