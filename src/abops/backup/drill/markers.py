"""Rows that a rehearsal writes before and after its target, by which a restore is judged.

The live database is asked for the last row before a moment, the restored one for its own last
row: they must be the same, and none may be later. The archiver's heartbeat, one row that it
renews, counts as well when it is asked how much work was lost.
"""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from abops.clients.postgres_session import PostgresSession

KEPT: Final = timedelta(days=35)
TABLE: Final = "abops.dr_marker"
HEARTBEAT: Final = "abops.dr_heartbeat"


class Marker(msgspec.Struct, frozen=True):
    """One row."""

    id: int
    at: datetime


def prepare(session: PostgresSession) -> None:
    """Make the table where it is missing."""
    session.run("CREATE SCHEMA IF NOT EXISTS abops")
    session.run(
        f"CREATE TABLE IF NOT EXISTS {TABLE} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
        "at timestamptz NOT NULL)"
    )


def mark(session: PostgresSession, at: datetime) -> Marker:
    """Write a row, and let go of those that nobody can restore to any more."""
    session.run(f"DELETE FROM {TABLE} WHERE at < %s", [at - KEPT])  # noqa: S608 - our own name
    found = session.rows(
        f"INSERT INTO {TABLE} (at) VALUES (%s) RETURNING id, at",  # noqa: S608 - our own name
        [at],
    )
    return Marker(*found[0])


def last_marker(session: PostgresSession, until: datetime | None = None) -> Marker | None:
    """Return the last row, or the last one up to a moment."""
    where = "" if until is None else "WHERE at <= %s "
    found = session.rows(
        f"SELECT id, at FROM {TABLE} {where}ORDER BY at DESC, id DESC LIMIT 1",  # noqa: S608 - our own name
        [] if until is None else [until],
    )
    return Marker(*found[0]) if found else None


def last_sign(session: PostgresSession) -> datetime | None:
    """Return the last moment that the database knows of: a marker or the archiver's heartbeat."""
    found = [one.at for one in (_marker_if_any(session),) if one is not None]
    if session.one("SELECT to_regclass(%s) IS NOT NULL", [HEARTBEAT]):
        found += [at for (at,) in session.rows(f"SELECT max(at) FROM {HEARTBEAT}") if at]  # noqa: S608 - our own name
    return max(found, default=None)


def _marker_if_any(session: PostgresSession) -> Marker | None:
    there = session.one("SELECT to_regclass(%s) IS NOT NULL", [TABLE])
    return last_marker(session) if there else None
