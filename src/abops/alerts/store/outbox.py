"""The outbox: what people have yet to be told, and what became of it.

An item is pending, being sent, waiting for another attempt, done, dead (given up) or skipped
(nothing to edit). Items of one incident for one channel are sent in their order. What was being
sent when the process died is sent again.
"""

from collections.abc import Collection
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import astuple
from sqlalchemy import Connection

from abops.alerts.model import DeliveryKind, DeliveryState, OutboxItem
from abops.alerts.store.records import TimelineRow

_FIELDS = (
    "id, key, incident, channel, kind, severity, page, state, attempts, created_at, next_at, since"
)
_WAITING = "state IN ('pending', 'sending', 'retry')"
_FIRST = (
    "NOT EXISTS (SELECT 1 FROM outbox AS e WHERE e.incident = o.incident"
    f" AND e.channel = o.channel AND e.id < o.id AND e.{_WAITING})"
)


class Claim(Struct, frozen=True):
    """An item that is ours to send now."""

    item: OutboxItem
    since: datetime
    reference: str
    """How the channel calls the incident's first message there. Empty: there is none."""


class Outcome(Struct, frozen=True):
    """What became of one attempt."""

    state: DeliveryState
    at: float
    next_at: float = 0.0
    reference: str = ""
    error: str = ""


def unsent(connection: Connection) -> set[tuple[int, str]]:
    """Return incident and channel of what waits and will say how things are by then."""
    rows = connection.exec_driver_sql(
        "SELECT incident, channel FROM outbox WHERE state IN ('pending', 'retry', 'sending')"
    )
    return {(row[0], row[1]) for row in rows}


def take_back(connection: Connection, now: float) -> int:
    """Put what was being sent when the process died back; return how many pages are among it."""
    pages = connection.exec_driver_sql(
        "SELECT count(*) FROM outbox WHERE state = 'sending' AND page = 1"
    ).scalar_one()
    connection.exec_driver_sql(
        "UPDATE outbox SET state = 'retry', next_at = ?,"
        " error = 'the service stopped while it was sent' WHERE state = 'sending'",
        (now,),
    )
    return int(pages)


def claim(
    connection: Connection, channel: str, *, now: float, kinds: Collection[str]
) -> Claim | None:
    """Take the channel's next item of these kinds, critical ones first, and mark it.

    A digest goes before what it makes unimportant: the ends of the incidents a storm took over.
    """
    marks = ",".join("?" * len(kinds))
    row = connection.exec_driver_sql(
        f"SELECT {_FIELDS} FROM outbox AS o WHERE channel = ? AND state IN ('pending', 'retry')"
        f" AND next_at <= ? AND kind IN ({marks}) AND {_FIRST}"
        " ORDER BY CASE severity WHEN 'critical' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END,"
        " CASE kind WHEN 'digest' THEN 0 WHEN 'update' THEN 2 ELSE 1 END, id LIMIT 1",
        (channel, now, *kinds),
    ).first()
    if row is None:
        return None
    connection.exec_driver_sql(
        "UPDATE outbox SET state = 'sending', attempts = attempts + 1 WHERE id = ?", (row[0],)
    )
    reference = connection.exec_driver_sql(
        "SELECT reference FROM outbox WHERE incident = ? AND channel = ?"
        " AND reference <> '' ORDER BY id LIMIT 1",
        (row[2], channel),
    ).scalar()
    return Claim(_item(tuple(row)), _moment(row[11]), str(reference or ""))


def withdraw(connection: Connection, incident: int, kind: DeliveryKind) -> set[str]:
    """Take back what no channel can have heard yet; return the channels that will not be told."""
    rows = connection.exec_driver_sql(
        "UPDATE outbox SET state = 'skipped', error = 'taken back in time' WHERE incident = ?"
        " AND kind = ? AND state = 'pending' AND attempts = 0 RETURNING channel",
        (incident, kind),
    )
    return {row[0] for row in rows}


def next_due(connection: Connection, channel: str, *, kinds: Collection[str]) -> float | None:
    """Return when the channel's next item of these kinds may be sent. None: nothing waits."""
    marks = ",".join("?" * len(kinds))
    found = connection.exec_driver_sql(
        "SELECT min(next_at) FROM outbox AS o WHERE channel = ?"
        f" AND state IN ('pending', 'retry') AND kind IN ({marks}) AND {_FIRST}",
        (channel, *kinds),
    ).scalar()
    return None if found is None else float(found)


def settle(connection: Connection, item_id: int, outcome: Outcome) -> None:
    """Write what became of an attempt."""
    delivered = outcome.at if outcome.state == "done" else None
    connection.exec_driver_sql(
        "UPDATE outbox SET state = ?, next_at = ?, delivered_at = ?, reference = ?, error = ?"
        " WHERE id = ?",
        (outcome.state, outcome.next_at, delivered, outcome.reference, outcome.error, item_id),
    )


def note(connection: Connection, row: TimelineRow) -> None:
    """Add a line to an incident's timeline."""
    connection.exec_driver_sql(
        "INSERT INTO timeline (incident, at, kind, text, actor) VALUES (?, ?, ?, ?, ?)",
        astuple(row),
    )


def unaccepted_pages(connection: Connection, created_before: float) -> list[OutboxItem]:
    """Return pages that were due long ago and are still not accepted."""
    rows = connection.exec_driver_sql(
        f"SELECT {_FIELDS} FROM outbox WHERE page = 1 AND created_at < ? AND {_WAITING}",
        (created_before,),
    )
    return [_item(tuple(row)) for row in rows]


def held(connection: Connection, now: float) -> set[int]:
    """Return the incidents whose first message waits for some time and wakes nobody up."""
    rows = connection.exec_driver_sql(
        "SELECT DISTINCT incident FROM outbox WHERE kind = 'open' AND state = 'pending'"
        " AND attempts = 0 AND page = 0 AND next_at > ?",
        (now,),
    )
    return {row[0] for row in rows}


def release(connection: Connection, incident: int, now: float) -> set[str]:
    """Make an incident's first message due now; return the channels."""
    rows = connection.exec_driver_sql(
        "UPDATE outbox SET next_at = ? WHERE incident = ? AND kind = 'open'"
        " AND state = 'pending' AND next_at > ? RETURNING channel",
        (now, incident, now),
    )
    return {row[0] for row in rows}


def pages_of(connection: Connection, incidents: Collection[int]) -> int:
    """Return for how many of these incidents somebody was or is being woken up."""
    marks = ",".join("?" * len(incidents))
    return int(
        connection.exec_driver_sql(
            "SELECT count(DISTINCT incident) FROM outbox WHERE page = 1 AND state <> 'skipped'"
            f" AND incident IN ({marks})",
            tuple(incidents),
        ).scalar_one()
    )


def oldest_by_severity(connection: Connection) -> dict[str, float]:
    """Return since when the oldest item of each severity has been waiting."""
    rows = connection.exec_driver_sql(
        f"SELECT severity, min(created_at) FROM outbox WHERE {_WAITING} GROUP BY severity"
    )
    return {row[0]: row[1] for row in rows}


def _item(row: tuple[object, ...]) -> OutboxItem:
    return OutboxItem(
        id=int(str(row[0])),
        key=str(row[1]),
        incident=int(str(row[2])),
        channel=str(row[3]),
        kind=row[4],  # type: ignore[arg-type] # written by us
        severity=row[5],  # type: ignore[arg-type]
        page=bool(row[6]),
        state=row[7],  # type: ignore[arg-type]
        attempts=int(str(row[8])),
        created_at=_moment(row[9]),
        next_at=_moment(row[10]),
    )


def _moment(seconds: object) -> datetime:
    return datetime.fromtimestamp(float(str(seconds)), UTC)
