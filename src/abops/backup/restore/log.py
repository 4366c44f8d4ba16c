"""The write-ahead log as repositories hold it, and how far one gets along it.

A segment is known by timeline and number and by the moment at which it was first kept anywhere:
what it tells happened before that. A timeline leaves its parent at a position; to reach a point on
it one follows the parent up to the segment of that position, and from there the child's own.
"""

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from abops.backup.model import SEGMENT_BYTES, SegmentName
from abops.backup.postgres.log_files import Fork, segment_in


class Leg(Struct, frozen=True):
    """A stretch of the way on one timeline."""

    timeline: int
    first: int
    last: int | None
    """None: as far as it goes."""


class Reach(Struct, frozen=True):
    """How far the log leads from a segment on, without a hole."""

    last: SegmentName | None
    """The last segment before the end or the hole; None when even the first is missing."""
    until: float | None
    """Until when that is."""
    missing: SegmentName | None = None
    """The first segment that is not there although later ones are."""
    sure: float | None = None
    """A moment that the last segment goes past, so that a recovery can stop there: until when the
    one before it is. PostgreSQL stops at a time only when it meets a later transaction, and the
    end of the last segment may have none; without one it ends by an error."""


class Log(Struct, frozen=True):
    """All segments that the places which are asked hold, and how timelines descend."""

    kept: Mapping[SegmentName, float] = {}
    """When each was first kept anywhere, in seconds since 1970."""
    branches: Mapping[int, Fork] = {}
    segment_bytes: int = SEGMENT_BYTES

    def timeline_of(self, wal: str) -> int:
        """Return the timeline of a segment's name."""
        return SegmentName.of(wal, self.segment_bytes).timeline

    def newest_timeline(self, among: Iterable[int] = ()) -> int:
        """Return the newest timeline that is known: of the log, of `among`."""
        return max([name.timeline for name in self.kept] + [*self.branches, *among, 1])

    def ancestry(self, timeline: int) -> tuple[int, ...]:
        """Return the timeline and those it comes from, the oldest first."""
        line = [timeline]
        while (branch := self.branches.get(line[0])) is not None and branch.parent not in line:
            line.insert(0, branch.parent)
        return tuple(line)

    def leaves(self, timeline: int, towards: int) -> int | None:
        """Return at which LSN the way to `towards` leaves `timeline`; None when it stays."""
        line = self.ancestry(towards)
        index = line.index(timeline)
        return None if index + 1 == len(line) else self.branches[line[index + 1]].lsn

    def way(self, start: SegmentName, towards: int) -> tuple[Leg, ...]:
        """Return the stretches from a segment to the end of the timeline `towards`."""
        line = self.ancestry(towards)
        line = line[line.index(start.timeline) :]
        legs = []
        first = start.number
        for timeline in line:
            lsn = self.leaves(timeline, towards)
            # The segment in which the child begins is the child's: the parent's may be half of it.
            last = None if lsn is None else lsn // self.segment_bytes - 1
            legs.append(Leg(timeline, first, last))
            first = first if last is None else max(first, last + 1)
        return tuple(legs)

    def reach(self, start: SegmentName, towards: int) -> Reach:
        """Return how far one gets from a segment without a hole."""
        untils = self._untils()
        last: SegmentName | None = None
        sure: float | None = None
        for leg in self.way(start, towards):
            for name in self._names(leg):
                if name not in self.kept:
                    return Reach(last, untils.get(last) if last else None, name, sure)
                sure = untils[last] if last else None
                last = name
        return Reach(last, untils[last] if last else None, sure=sure)

    def end_of(self, at: float, start: SegmentName, towards: int) -> SegmentName | None:
        """Return the first segment on the way that is sure to tell of a later moment than `at`."""
        untils = self._untils()
        for leg in self.way(start, towards):
            for name in self._names(leg):
                if untils.get(name, 0.0) >= at:
                    return name
        return None

    def _names(self, leg: Leg) -> Iterator[SegmentName]:
        last = leg.last
        if last is None:
            numbers = [name.number for name in self.kept if name.timeline == leg.timeline]
            last = max(numbers, default=-1)
        for number in range(leg.first, last + 1):
            yield SegmentName(leg.timeline, number)

    def _untils(self) -> dict[SegmentName, float]:
        """Return for each segment the moment before which all of it happened.

        One that was late to be kept is no later than those after it.
        """
        found: dict[SegmentName, float] = {}
        timeline, least = 0, float("inf")
        for name in sorted(self.kept, reverse=True):
            if name.timeline != timeline:
                timeline, least = name.timeline, float("inf")
            least = min(least, self.kept[name])
            found[name] = least
        return found


def stored_segments(
    listed: Iterable[tuple[str, float]], segment_bytes: int = SEGMENT_BYTES
) -> dict[SegmentName, float]:
    """Return the segments among a repository's files, each with when it was kept."""
    found = ((segment_in(path), at) for path, at in listed)
    return {SegmentName.of(one[0], segment_bytes): at for one, at in found if one is not None}


def merged(*places: Mapping[SegmentName, float]) -> dict[SegmentName, float]:
    """Return what several places hold together, each segment with its earliest moment."""
    found: dict[SegmentName, float] = {}
    for place in places:
        for name, at in place.items():
            found[name] = min(at, found.get(name, at))
    return found
