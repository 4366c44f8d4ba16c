"""What was changed and when: kept once however often it is told."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from sqlalchemy import Connection

from abops.kernel.clock import moment

COLUMNS = ("key", "at", "kind", "service", "env", "title", "url", "actor")


class StoredChange(Struct, frozen=True):
    """A change as it is shown."""

    at: datetime
    kind: str
    service: str
    env: str
    title: str
    url: str
    actor: str


def add(
    connection: Connection, rows: Sequence[tuple[str, float, str, str, str, str, str, str]]
) -> int:
    """Keep changes, in the order of COLUMNS; return how many were new."""
    added = 0
    for row in rows:
        done = connection.exec_driver_sql(
            f"INSERT INTO change ({', '.join(COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (key) DO NOTHING",
            row,
        )
        added += done.rowcount
    return added


def between(
    connection: Connection, since: float, until: float, *, service: str = "", limit: int = 1_000
) -> tuple[StoredChange, ...]:
    """Return what was changed in a time, the newest first."""
    rows = connection.exec_driver_sql(
        "SELECT at, kind, service, env, title, url, actor FROM change"
        " WHERE at >= ? AND at < ? AND (? = '' OR service = ?) ORDER BY at DESC, id DESC LIMIT ?",
        (since, until, service, service, limit),
    )
    return tuple(StoredChange(moment(row[0]), *row[1:]) for row in rows)
