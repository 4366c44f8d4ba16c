"""Whether the log that a destination holds has holes.

The engine's own verification does not see them: seven segments may be gone and it says `ok`. The
names tell: each holds the timeline and a number, numbers are consecutive, and from the oldest set
on none may be missing. Where the database was promoted, `.history` says at which position a
timeline leaves its parent; from there on the child's segments count.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from msgspec import Struct

from abops.backup.model import SEGMENT_BYTES, SegmentName, SetFacts
from abops.backup.postgres.log_files import Fork, segment_in


class Gap(Struct, frozen=True, order=True):
    """Segments in a row that are not there."""

    first: SegmentName
    last: SegmentName

    @property
    def count(self) -> int:
        """How many."""
        return self.last.number - self.first.number + 1

    def name(self, segment_bytes: int = SEGMENT_BYTES) -> str:
        """Return what it is called: the file names at its ends."""
        first, last = self.first.file_name(segment_bytes), self.last.file_name(segment_bytes)
        return first if first == last else f"{first}..{last}"


class Stretch(Struct, frozen=True):
    """Segments of one timeline that must all be there, both ends included."""

    timeline: int
    first: int
    last: int


def hashes_of(paths: Iterable[str]) -> dict[str, frozenset[str]]:
    """Return for each segment in a listing the SHA-1 of its content; more than one is wrong."""
    found: dict[str, set[str]] = {}
    for path in paths:
        if stored := segment_in(path):
            found.setdefault(stored[0], set()).add(stored[1])
    return {name: frozenset(hashes) for name, hashes in found.items()}


def stretches(
    starts: Sequence[SegmentName],
    present: Iterable[SegmentName],
    forks: Mapping[int, Fork],
    *,
    until: SegmentName | None = None,
    segment_bytes: int = SEGMENT_BYTES,
) -> tuple[Stretch, ...]:
    """Return what must be there to go on from the starts of sets until now.

    `until` is the last segment that the live server has handed over; without it, the newest that
    is there ends each timeline.
    """
    ends: dict[int, int] = {}
    for name in (*present, *([until] if until else [])):
        ends[name.timeline] = max(name.number, ends.get(name.timeline, 0))
    begins: dict[int, int] = {}
    for start in starts:
        begins[start.timeline] = min(start.number, begins.get(start.timeline, start.number))
    for timeline in sorted({*ends, *forks}):
        fork = forks.get(timeline)
        # A child's log is needed from its fork on when the parent's is needed up to there.
        if fork is not None and timeline not in begins and fork.parent in begins:
            begins[timeline] = fork.lsn // segment_bytes
    needed = []
    for timeline, first in sorted(begins.items()):
        left = [fork.lsn // segment_bytes - 1 for fork in forks.values() if fork.parent == timeline]
        # What the parent wrote after the last child left it leads nowhere anybody is.
        last = max(left) if left else ends.get(timeline, first - 1)
        needed.append(Stretch(timeline, first, last))
    return tuple(needed)


def gaps_in(needed: Iterable[Stretch], present: Iterable[SegmentName]) -> tuple[Gap, ...]:
    """Return the holes: segments of the stretches that are not present, joined where in a row."""
    there = frozenset(present)
    lost = [
        SegmentName(stretch.timeline, number)
        for stretch in needed
        for number in range(stretch.first, stretch.last + 1)
        if SegmentName(stretch.timeline, number) not in there
    ]
    return tuple(
        Gap(row[0], row[-1])
        for row in (
            [name for _, name in group]
            for _, group in groupby(
                enumerate(sorted(set(lost))), lambda at: (at[1].timeline, at[1].number - at[0])
            )
        )
    )


def own_log(one: SetFacts, segment_bytes: int = SEGMENT_BYTES) -> Stretch:
    """Return the segments without which a set is not even consistent."""
    first = SegmentName.of(one.wal_start, segment_bytes)
    last = SegmentName.of(one.wal_stop, segment_bytes)
    return Stretch(first.timeline, first.number, last.number)
