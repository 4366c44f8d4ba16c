"""Named points in the log whose content is known: what a rehearsed restore is compared with.

Each is made while nobody writes for a moment, and kept with the fingerprints of every table. A
later drill may go back to any of them, as long as the log leads there.
"""

import secrets
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from abops.backup.drill.fingerprints import Fingerprint, take_at_point
from abops.backup.model import Home
from abops.clients.postgres_session import SocketAddress
from abops.kernel.clock import Clock
from abops.kernel.files import write_atomic

KEPT_POINTS: Final = 60
"""A drill a day and destination in turn: two months and more than any retention of days."""


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One named point."""

    name: str
    at: float
    """When it was made; later than all that it holds."""
    lsn: str
    tables: dict[str, Fingerprint]


def make_point(home: Home, address: SocketAddress, database: str, clock: Clock) -> Point:
    """Make a point now and remember what it holds."""
    now = clock.now()
    name = f"abops-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
    lsn, tables = take_at_point(address, database, name)
    point = Point(name=name, at=clock.now().timestamp(), lsn=lsn, tables=dict(tables))
    _remember(home, point)
    return point


def known_points(home: Home) -> tuple[Point, ...]:
    """Return the points that are remembered, old to new."""
    try:
        return msgspec.json.decode(_file(home).read_bytes(), type=tuple[Point, ...])
    except (OSError, msgspec.MsgspecError):
        # Only what drills are compared with: without it the next one makes a new point.
        return ()


def points_between(
    points: tuple[Point, ...], earliest: datetime, latest: datetime
) -> tuple[Point, ...]:
    """Return the points of a span of time."""
    return tuple(one for one in points if earliest.timestamp() < one.at < latest.timestamp())


def _remember(home: Home, point: Point) -> None:
    kept = (*known_points(home), point)[-KEPT_POINTS:]
    write_atomic(_file(home), msgspec.json.encode(kept), mode=0o600)


def _file(home: Home) -> Path:
    return home.drills / "points" / "points.json"
