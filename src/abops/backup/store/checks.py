"""What the checks of a destination said, from new to old."""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection

from abops.backup.store.entries import get
from abops.backup.store.records import Check
from abops.backup.store.schema import check

_REMEMBERED: Final = 400
"""Checks that are asked when a hole was first seen: a year of daily ones."""


def checks_of(connection: Connection, destination: str) -> tuple[Check, ...]:
    """Return the last checks of a destination, the newest first."""
    here = check.c.destination == destination
    return get(connection, Check, here, newest="ended", limit=_REMEMBERED)


def first_seen(checks: Iterable[Check]) -> dict[str, float]:
    """Return when each hole in the log was first seen, by checks from new to old."""
    seen: dict[str, float] = {}
    for one in checks:  # the oldest stays
        seen |= dict.fromkeys(one.gaps, one.ended)
    return seen
