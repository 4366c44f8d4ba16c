"""How far a replica is behind, in seconds, from positions in the write-ahead log.

PostgreSQL's own `replay_lag` stands still while a replica does not replay at all: the worst case
looks like the last good one. Here the primary's position is noted at every reading, and a replica
is as late as the moment at which the primary wrote what the replica has reached.
"""

from collections import deque
from datetime import datetime, timedelta
from typing import Final

HORIZON: Final = timedelta(hours=6)
"""Notes older than this are dropped: a replica that late has been told about for hours."""


class WalHistory:
    """The primary's position at each reading."""

    def __init__(self) -> None:
        self._notes: deque[tuple[datetime, float]] = deque()

    def note(self, now: datetime, position: float) -> None:
        """Keep the primary's position of this moment.

        A position below the last one is another server, or one restored: what was noted before
        says nothing about it.
        """
        if self._notes and position < self._notes[-1][1]:
            self._notes.clear()
        self._notes.append((now, position))
        while now - self._notes[0][0] > HORIZON:
            self._notes.popleft()

    def behind(self, now: datetime, replayed: float) -> float:
        """Return the seconds since the primary was where a replica is now.

        Zero for a replica that is level. One that was behind before the first note is at least
        as late as that note is old.
        """
        passed = None
        for at, position in reversed(self._notes):
            if position <= replayed:
                break
            passed = at
        return (now - passed).total_seconds() if passed else 0.0
