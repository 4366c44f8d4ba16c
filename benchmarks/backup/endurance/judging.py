"""What came of planned runs under faults, and what of it counts; pure."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

BACKUPS = frozenset({"full", "incr"})


class Planned(NamedTuple):
    """A time at which the timetable wants a backup of a destination, and what was done to it."""

    destination: str
    at: float
    faults: str


class Attempted(NamedTuple):
    """A run as the catalog tells it after everything."""

    id: str
    destination: str
    kind: str
    planned: float
    state: str
    attempt: int
    label: str = ""
    error: str = ""


class Outcome(NamedTuple):
    """What came of one planned time."""

    planned: Planned
    state: str
    """success, failed, interrupted, running, missed; unknown when nobody noted anything."""
    attempts: int
    labels: tuple[str, ...] = ()
    """Sets that the catalog says were made."""
    error: str = ""
    there: bool = False
    """Whether the destination lists a set of this run."""

    @property
    def good(self) -> bool:
        """Tell whether a backup was made at this time, whoever noted it."""
        return self.there

    @property
    def unnoted(self) -> bool:
        """Tell whether its set is there though the catalog calls the run failed or cut off."""
        return self.there and self.state != "success"


def outcomes(
    planned: Sequence[Planned],
    runs: Sequence[Attempted],
    sets: Mapping[str, Mapping[str, str]],
    every_s: float,
) -> list[Outcome]:
    """Return what came of each planned time: a backup begun for it before the next one counts.

    `sets`: for each destination the labels that it lists, and the run that made each.
    """
    found = []
    for one in planned:
        mine = [
            run
            for run in runs
            if run.destination == one.destination
            and run.kind in BACKUPS
            and one.at <= run.planned < one.at + every_s
        ]
        labels = tuple(run.label for run in mine if run.state == "success")
        there = {run.id for run in mine} & set(sets[one.destination].values())
        last = max(mine, key=lambda run: (run.state == "success", run.planned), default=None)
        found.append(
            Outcome(one, "unknown", 0)
            if last is None
            else Outcome(
                one,
                last.state,
                sum(run.attempt for run in mine),
                labels,
                error=last.error,
                there=bool(there),
            )
        )
    return found


def told(found: Sequence[Outcome]) -> list[str]:
    """Return a line for each time that went wrong: what happened, and what made it good."""
    lines = []
    for number, one in enumerate(found):
        if one.good:
            continue
        later = [
            each
            for each in found[number + 1 :]
            if each.planned.destination == one.planned.destination
        ]
        after = next((count for count, each in enumerate(later, 1) if each.good), None)
        mended = "never made good" if after is None else f"made good {after} later"
        why = " ".join(one.error.split())[:110]
        lines.append(
            f"{one.planned.destination} under {one.planned.faults}: {one.state} "
            f"after {one.attempts} attempts, {mended}{': ' + why if why else ''}"
        )
    return lines


def longest_without(found: Sequence[Outcome]) -> int:
    """Return the most planned times in a row that a destination went without a backup."""
    longest = 0
    for name in {one.planned.destination for one in found}:
        row = 0
        for one in found:
            if one.planned.destination == name:
                row = 0 if one.good else row + 1
                longest = max(longest, row)
    return longest


class Loss(NamedTuple):
    """What was acknowledged and is not there; empty everywhere is the goal."""

    rows: int
    """Rows whose COMMIT was answered and that the database itself has not."""
    restored: Mapping[str, str]
    """What differs after a restore from a destination; empty text for nothing."""
    segments: Mapping[str, int]
    """Segments that PostgreSQL was told are kept, and a destination has not as they were."""
    sets: Mapping[str, int]
    """Sets of successful runs that a destination does not list."""
    doubles: int
    """Sets beyond one for a planned run."""

    @property
    def count(self) -> int:
        """Return how many things are lost."""
        parts = [self.rows, *self.segments.values(), *self.sets.values()]
        return sum(parts) + sum(bool(text) for text in self.restored.values())


def segments_lost(handed: Mapping[str, str], kept: Mapping[str, Sequence[str]]) -> int:
    """Count segments that are not kept exactly once, as they were handed over."""
    return sum(list(kept.get(name, ())) != [digest] for name, digest in handed.items())


def handed_over(lines: Sequence[str]) -> dict[str, str]:
    """Return the hash of each segment as it was handed over last, from lines `NAME HASH`."""
    words = (line.split() for line in lines)
    return {pair[0]: pair[1] for pair in words if len(pair) == 2 and len(pair[0]) == 24}  # noqa: PLR2004
