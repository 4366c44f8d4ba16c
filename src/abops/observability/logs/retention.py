"""How long lines are kept, and which indices that concerns today.

What ILM or ISM would do by themselves: a young index is written to, a large or old one is
rolled over, one whose youngest line is too old goes. The newest index of a stream stays.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec import Struct

GIB = 2**30


class Retention(Struct, frozen=True):
    """How long, how large."""

    roll_after_days: int = 1
    roll_above_gib: int = 20
    """A shard above it is slow to move and to recover."""
    merge_after_days: int = 2
    delete_after_days: int = 30


RETENTION = Retention()


class Backing(Struct, frozen=True):
    """One index of a stream."""

    name: str
    stream: str
    created: datetime
    size_bytes: int
    lines: int
    writes: bool
    """Whether new lines go here: the newest index of its stream."""


class Plan(Struct, frozen=True):
    """What is to be done now."""

    roll: tuple[str, ...]
    """Streams that get a new index."""
    delete: tuple[str, ...]
    """Indices that go."""


def plan(indices: Iterable[Backing], now: datetime, retention: Retention = RETENTION) -> Plan:
    """Return which streams to roll over and which indices to delete."""
    known = tuple(indices)
    old = timedelta(days=retention.roll_after_days)
    roll = [
        index.stream
        for index in known
        if index.writes
        and index.lines > 0  # an empty one would leave an empty one behind, every day
        and (now - index.created >= old or index.size_bytes >= retention.roll_above_gib * GIB)
    ]
    gone = [
        index.name
        for index, closed in _with_end(known)
        if closed is not None and now - closed >= timedelta(days=retention.delete_after_days)
    ]
    return Plan(tuple(sorted(roll)), tuple(sorted(gone)))


def _with_end(indices: tuple[Backing, ...]) -> list[tuple[Backing, datetime | None]]:
    """Return each index with the moment its stream went on elsewhere: its youngest line's."""
    ordered = sorted(indices, key=lambda index: (index.stream, index.created, index.name))
    pairs: list[tuple[Backing, datetime | None]] = []
    followers = [*ordered, None][1:]
    for index, after in zip(ordered, followers, strict=True):
        follows = after is not None and after.stream == index.stream and not index.writes
        pairs.append((index, after.created if follows and after else None))
    return pairs
