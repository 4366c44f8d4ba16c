"""The write-ahead log as a repository keeps it: names of segments, histories of timelines.

The 40 digits behind a segment's name are the SHA-1 of its plain content, whatever it is packed
and encrypted with.
"""

import re
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

_SEGMENT: Final = re.compile(r"(?:^|/)([0-9A-F]{24})-([0-9a-f]{40})(?:\.\w+)?$")
_HISTORY: Final = re.compile(r"(?:^|/)([0-9A-F]{8})\.history$")
_LEFT: Final = re.compile(r"^\s*(\d+)\s+([0-9A-F]+)/([0-9A-F]+)")


class Fork(Struct, frozen=True):
    """Where a timeline left its parent."""

    parent: int
    lsn: int


def segment_in(path: str) -> tuple[str, str] | None:
    """Return name and SHA-1 of the segment that a file keeps; None: it keeps none."""
    found = _SEGMENT.search(path)
    return None if found is None else (found[1], found[2])


def histories_of(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the paths of the timelines' histories in a listing."""
    return tuple(path for path in paths if _HISTORY.search(path))


def timeline_of(path: str) -> int:
    """Return which timeline a history belongs to."""
    found = _HISTORY.search(path)
    return int(found[1], 16) if found else 0


def fork_of(history: str) -> Fork | None:
    """Read a history: its last line says which parent was left, and where."""
    lines = [found for line in history.splitlines() if (found := _LEFT.match(line))]
    if not lines:
        return None
    parent, high, low = lines[-1].groups()
    return Fork(int(parent), (int(high, 16) << 32) + int(low, 16))


def forks_of(histories: Iterable[tuple[str, str]]) -> dict[int, Fork]:
    """Return where timelines left their parents, from paths and texts of histories."""
    forks = ((timeline_of(path), fork_of(text)) for path, text in histories)
    return {timeline: fork for timeline, fork in forks if fork is not None}
