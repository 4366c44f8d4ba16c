"""Letting go of what is older than it has to be kept, a few hundred rows at a time.

What is open is kept, however old: an incident, its alerts, and what was said of them. The newest
event and the newest incident are kept as well, since numbers go on from theirs.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection

ROWS: Final = 500
"""Rows of one transaction: a few milliseconds of the writer."""
_OPEN: Final = (
    "(SELECT a.fingerprint FROM alert AS a JOIN incident AS i ON i.number = a.incident"
    " WHERE i.state <> 'resolved')"
)
_PARTS: Final = (
    ("member", "incident", "fingerprint"),
    ("timeline", "incident", "id"),
    ("outbox", "incident", "id"),
    ("timer", "incident", "id"),
    ("page", "incident", "id"),
    ("label", "incident", "incident"),
    ("storm", "incident", "id"),
)
"""Tables with rows of one incident, and what tells their rows apart."""
_LOGS: Final = {"rejected": "at", "audit": "at", "change": "at"}


def last_event_before(connection: Connection, before: float) -> int:
    """Return the number of the newest event that came before then; they came in their order."""
    low, high = 0, _newest(connection, "event", "id")
    while low < high:
        middle = (low + high + 1) // 2
        row = connection.exec_driver_sql(
            "SELECT id, received_at FROM event WHERE id >= ? ORDER BY id LIMIT 1", (middle,)
        ).first()
        if row is not None and row[0] <= high and row[1] < before:
            low = int(row[0])
        else:
            high = middle - 1
    return low


def old_events(connection: Connection, after: int, last: int) -> Sequence[int]:
    """Return the next events to let go of, which no open incident needs; empty: there are none."""
    newest = _newest(connection, "event", "id")
    rows = connection.exec_driver_sql(
        "SELECT id FROM event WHERE id > ? AND id <= ? AND id < ? AND id <="
        " coalesce((SELECT value FROM counter WHERE name = 'correlated'), 0)"
        f" AND fingerprint NOT IN {_OPEN} ORDER BY id LIMIT ?",
        (after, last, newest, ROWS),
    )
    return [row[0] for row in rows]


def delete_events(connection: Connection, numbers: Sequence[int]) -> int:
    """Let go of these events."""
    return _delete(connection, "event", "id", numbers)


def old_incidents(connection: Connection, before: float) -> Sequence[int]:
    """Return the next incidents to let go of: over since before then."""
    rows = connection.exec_driver_sql(
        "SELECT number FROM incident WHERE state = 'resolved' AND resolved_at < ? AND number < ?"
        " ORDER BY number LIMIT ?",
        (before, _newest(connection, "incident", "number"), ROWS),
    )
    return [row[0] for row in rows]


def delete_part(connection: Connection, number: int) -> tuple[str, int]:
    """Let go of some rows of an incident; at last of itself. Return of which table, how many."""
    for table, incident, key in _PARTS:
        done = connection.exec_driver_sql(
            f"DELETE FROM {table} WHERE {incident} = ? AND {key} IN"
            f" (SELECT {key} FROM {table} WHERE {incident} = ? LIMIT ?)",
            (number, number, ROWS),
        )
        if done.rowcount:
            return table, int(done.rowcount)
    alerts = connection.exec_driver_sql(
        "DELETE FROM alert WHERE incident = ? AND state <> 'firing' AND fingerprint IN (SELECT"
        " fingerprint FROM alert WHERE incident = ? AND state <> 'firing' LIMIT ?)",
        (number, number, ROWS),
    )
    if alerts.rowcount:
        return "alert", int(alerts.rowcount)
    connection.exec_driver_sql("DELETE FROM learned WHERE name = ?", (f"score/{number}",))
    return "incident", _delete(connection, "incident", "number", [number])


def delete_logged(connection: Connection, table: str, before: float) -> int:
    """Let go of some old rows of a log: what was rejected, who did what, what was changed."""
    at = _LOGS[table]
    done = connection.exec_driver_sql(
        f"DELETE FROM {table} WHERE id IN"
        f" (SELECT id FROM {table} WHERE {at} < ? ORDER BY id LIMIT ?)",
        (before, ROWS),
    )
    return int(done.rowcount)


def _delete(connection: Connection, table: str, key: str, values: Sequence[int]) -> int:
    if not values:
        return 0
    marks = ",".join("?" * len(values))
    done = connection.exec_driver_sql(
        f"DELETE FROM {table} WHERE {key} IN ({marks})", tuple(values)
    )
    return int(done.rowcount)


def _newest(connection: Connection, table: str, key: str) -> int:
    found = connection.exec_driver_sql(f"SELECT coalesce(max({key}), 0) FROM {table}")
    return int(found.scalar_one())
