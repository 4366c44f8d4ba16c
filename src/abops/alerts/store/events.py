"""Events on disk: the append-only record of what sources said.

This is the hot path: plain SQL, many rows a statement. A row through SQLAlchemy's expression
layer would cost more than everything else an alert goes through.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection

from abops.alerts.model import AlertEvent
from abops.kernel.clock import moment

_encode = msgspec.json.Encoder().encode
_LABELS = msgspec.json.Decoder(dict[str, str])
_KEYS_A_QUERY: Final = 500
_WATERMARK: Final = "correlated"
_NUMBERED: Final = "event"
_INSERT = (
    "INSERT INTO event (id, key, fingerprint, status, starts_at, ends_at, received_at, source,"
    " labels, annotations, generator_url) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def last_event_id(connection: Connection) -> int:
    """Return the id of the newest event, 0 when there is none."""
    return int(connection.exec_driver_sql("SELECT coalesce(max(id), 0) FROM event").scalar_one())


def lock_numbers(connection: Connection) -> int:
    """Let no other replica number events until this transaction ends; return the last number.

    So numbers have no gaps, and none becomes visible after a higher one: whoever has read up to
    a number has read all before it.
    """
    statement = "SELECT value FROM counter WHERE name = ? FOR UPDATE"
    return int(connection.exec_driver_sql(statement, (_NUMBERED,)).scalar_one())


def note_numbers(connection: Connection, last: int) -> None:
    """Note the last number that was given."""
    connection.exec_driver_sql("UPDATE counter SET value = ? WHERE name = ?", (last, _NUMBERED))


def ensure_numbers(connection: Connection) -> None:
    """Begin to count, where nobody has."""
    connection.exec_driver_sql(
        "INSERT INTO counter (name, value) SELECT ?, coalesce(max(id), 0) FROM event"
        " ON CONFLICT (name) DO NOTHING",
        (_NUMBERED,),
    )


def known_keys(connection: Connection, keys: Sequence[bytes]) -> set[bytes]:
    """Return those of the keys that are stored already."""
    found: set[bytes] = set()
    for start in range(0, len(keys), _KEYS_A_QUERY):
        part = tuple(keys[start : start + _KEYS_A_QUERY])
        marks = ",".join("?" * len(part))
        rows = connection.exec_driver_sql(f"SELECT key FROM event WHERE key IN ({marks})", part)
        found.update(row[0] for row in rows)
    return found


def insert_events(
    connection: Connection, events: Sequence[AlertEvent], *, first_id: int, received_at: float
) -> None:
    """Append events whose keys are new; they get the ids from `first_id` on."""
    if events:
        connection.exec_driver_sql(
            _INSERT,
            [
                _row(event, number, received_at)
                for number, event in enumerate(events, start=first_id)
            ],
        )


def _row(event: AlertEvent, number: int, received_at: float) -> tuple[object, ...]:
    return (
        number,
        event.key,
        event.fingerprint,
        event.status,
        event.starts_at.timestamp(),
        None if event.ends_at is None else event.ends_at.timestamp(),
        received_at,
        event.source,
        _encode(event.labels).decode(),
        _encode(event.annotations).decode(),
        event.generator_url,
    )


def mark_correlated(connection: Connection, event_id: int) -> None:
    """Note that the incidents reflect every event up to this one."""
    connection.exec_driver_sql(
        "INSERT INTO counter (name, value) VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (_WATERMARK, event_id),
    )


def last_correlated(connection: Connection) -> int:
    """Return the number of the last event that the incidents reflect, 0 when there is none."""
    found = connection.exec_driver_sql("SELECT value FROM counter WHERE name = ?", (_WATERMARK,))
    return int(found.scalar() or 0)


def uncorrelated(connection: Connection, after: int, limit: int) -> list[tuple[int, AlertEvent]]:
    """Return events after this one, oldest first."""
    rows = connection.exec_driver_sql(
        "SELECT id, key, fingerprint, status, labels, annotations, starts_at, ends_at,"
        " generator_url, source FROM event"
        " WHERE id > ? ORDER BY id LIMIT ?",
        (after, limit),
    )
    return [
        (
            row[0],
            AlertEvent(
                key=row[1],
                fingerprint=row[2],
                status=row[3],
                labels=_LABELS.decode(row[4]),
                annotations=_LABELS.decode(row[5]),
                starts_at=moment(row[6]),
                ends_at=None if row[7] is None else moment(row[7]),
                generator_url=row[8],
                source=row[9],
            ),
        )
        for row in rows
    ]


def keep_rejected(
    connection: Connection,
    rejected: Sequence[tuple[int | None, str, bytes]],
    *,
    at: float,
    source: str,
) -> None:
    """Keep what could not be read, for people to look at: position, error, content."""
    if rejected:
        connection.exec_driver_sql(
            "INSERT INTO rejected (at, source, position, error, content) VALUES (?, ?, ?, ?, ?)",
            [(at, source, position, error, content) for position, error, content in rejected],
        )
