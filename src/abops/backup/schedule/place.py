"""What the schedule looks at and what it says."""

from msgspec import Struct

from abops.backup.model import SetFacts
from abops.kernel.clock import moment


class Place(Struct, frozen=True, kw_only=True):
    """What is known of one destination that makes backups."""

    name: str
    generation: str
    sets: tuple[SetFacts, ...] = ()
    """Of the current key generation, as the destination tells them."""
    invalid: dict[str, float] = {}
    """Labels whose last check found them broken, and when it did."""
    gap_found: float | None = None
    """When the last check found a hole in the log; None when it found none."""
    timeline: int | None = None
    """The live server's; None when it is not known."""
    verified: float | None = None
    """When it was last found whole; None when it never was."""
    retained: float | None = None
    """When the policy last let something go there, or found nothing to let go."""
    rehearsed: float | None = None
    """When a restore from it last succeeded; None when none ever did."""
    owed: int = 0
    """Segments of log that are on their way to it."""


class Copying(Struct, frozen=True, kw_only=True):
    """What is known of a mirror."""

    name: str
    source: str
    verified: float | None = None
    """When its source was last found whole."""
    copied: float | None = None
    """When the last run began that brought it up to date."""


class Due(Struct, frozen=True, kw_only=True):
    """A run whose time has come."""

    destination: str
    kind: str
    """full, incr, verify, retain, drill, config, mirror."""
    planned: float
    reason: str
    attempt: int = 1

    @property
    def id(self) -> str:
        """What it is called: the same run is never two."""
        return run_id(self.destination, self.kind, self.planned)


class Waiting(Struct, frozen=True):
    """A run whose time has come and which has to wait."""

    run: Due
    because: str


class Agenda(Struct, frozen=True):
    """What to do now, one after the other, and what waits for what."""

    due: tuple[Due, ...]
    waiting: tuple[Waiting, ...] = ()


def run_id(destination: str, kind: str, planned: float) -> str:
    """Return the id of a planned run; a set carries it, so that a crash makes no double."""
    return f"{destination}-{kind}-{moment(planned):%Y%m%dT%H%M%SZ}"
