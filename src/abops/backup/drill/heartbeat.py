"""A row every few seconds, by which a restored database tells how much it lost.

The live database is asked for the last row before a moment, the restored one for its own last
row: they must be the same, and none may be later.
"""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from abops.clients.postgres_session import PostgresSession

KEPT: Final = timedelta(days=35)
TABLE: Final = "abops.dr_heartbeat"


class Beat(msgspec.Struct, frozen=True):
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


def beat(session: PostgresSession, at: datetime) -> Beat:
    """Write a row, and let go of those that nobody can restore to any more."""
    session.run(f"DELETE FROM {TABLE} WHERE at < %s", [at - KEPT])  # noqa: S608 - our own name
    found = session.rows(
        f"INSERT INTO {TABLE} (at) VALUES (%s) RETURNING id, at",  # noqa: S608 - our own name
        [at],
    )
    return Beat(*found[0])


def last_beat(session: PostgresSession, until: datetime | None = None) -> Beat | None:
    """Return the last row, or the last one up to a moment."""
    where = "" if until is None else "WHERE at <= %s "
    found = session.rows(
        f"SELECT id, at FROM {TABLE} {where}ORDER BY at DESC, id DESC LIMIT 1",  # noqa: S608 - our own name
        [] if until is None else [until],
    )
    return Beat(*found[0]) if found else None
