"""Incidents on disk: writing one step's changes, and reading the state back after a restart."""

from collections.abc import Collection, Iterable
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import Connection

from abops.alerts.model import Actor, AlertEvent, SuspectedCause
from abops.alerts.store.records import (
    AlertRecord,
    Changes,
    IncidentRecord,
    MemberRow,
    OutboxEntry,
)

_encode = msgspec.json.Encoder().encode
_LISTS: dict[str, msgspec.json.Decoder[Any]] = {
    "channels": msgspec.json.Decoder(tuple[str, ...]),
    "score_terms": msgspec.json.Decoder(tuple[str, ...]),
    "causes": msgspec.json.Decoder(tuple[SuspectedCause, ...]),
}
"""The columns of an incident that hold JSON."""
_labels = msgspec.json.Decoder(dict[str, str])
_INCIDENT_COLUMNS = IncidentRecord.__struct_fields__
_ALERT_COLUMNS = AlertRecord.__struct_fields__
_RECURS_WITHIN_S = 86_400
_KEYS_A_QUERY = 500


def _upsert(table: str, columns: Collection[str], key: Collection[str]) -> str:
    changed = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in key)
    marks = ", ".join("?" * len(columns))
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"
        f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changed}"
    )


_PUT_ALERT = _upsert(
    "alert", (*_ALERT_COLUMNS, "name", "labels", "annotations", "generator_url"), ("fingerprint",)
)
_END_ALERT = "UPDATE alert SET state = ?, ends_at = ?, ended_by = ? WHERE fingerprint = ?"
_PUT_INCIDENT = _upsert("incident", _INCIDENT_COLUMNS, ("number",))
_PUT_MEMBER = (
    f"INSERT INTO member ({', '.join(MemberRow.__struct_fields__)})"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (incident, fingerprint) DO UPDATE SET state = excluded.state,"
    " starts_at = excluded.starts_at, ends_at = excluded.ends_at, ended_by = excluded.ended_by"
)
_ADD_TIMELINE = "INSERT INTO timeline (incident, at, kind, text, actor) VALUES (?, ?, ?, ?, ?)"
_ADD_OUTBOX = (
    "INSERT INTO outbox (key, incident, channel, kind, severity, page, state, attempts, since,"
    " created_at, next_at, reference, error)"
    " VALUES (?, ?, ?, ?, ?, ?, 'pending', 0, ?, ?, ?, '', '') ON CONFLICT (key) DO NOTHING"
)


def write(connection: Connection, changes: Changes) -> None:
    """Write what one step changed: at most one statement for each table."""
    statements: tuple[tuple[str, list[tuple[object, ...]]], ...] = (
        (_PUT_ALERT, [_alert_row(r, event) for r, event in changes.alerts if event.labels]),
        (
            _END_ALERT,  # said by nobody: there are no labels to write
            [
                (r.state, r.ends_at, r.ended_by, r.fingerprint)
                for r, event in changes.alerts
                if not event.labels
            ],
        ),
        (_PUT_INCIDENT, [_incident_row(record) for record in changes.incidents.values()]),
        (_PUT_MEMBER, [msgspec.structs.astuple(row) for row in changes.members]),
        (_ADD_TIMELINE, [msgspec.structs.astuple(row) for row in changes.timeline]),
        (_ADD_OUTBOX, [_outbox_row(entry) for entry in changes.outbox]),
    )
    for statement, rows in statements:
        if rows:
            connection.exec_driver_sql(statement, rows)


def unresolved(connection: Connection) -> list[IncidentRecord]:
    """Return every incident that is not resolved."""
    rows = connection.exec_driver_sql(
        f"SELECT {', '.join(_INCIDENT_COLUMNS)} FROM incident WHERE state <> 'resolved'"
        " ORDER BY number"
    )
    return [_incident(tuple(row)) for row in rows]


def live_alerts(connection: Connection) -> Iterable[AlertRecord]:
    """Return the alerts that fire and those of unresolved incidents."""
    rows = connection.exec_driver_sql(
        f"SELECT {', '.join(_ALERT_COLUMNS)} FROM alert WHERE state = 'firing' OR incident IN"
        " (SELECT number FROM incident WHERE state <> 'resolved')"
    )
    return (AlertRecord(*row) for row in rows)


def alerts_by_fingerprint(
    connection: Connection, fingerprints: Collection[str]
) -> list[AlertRecord]:
    """Return what is known of these alerts."""
    wanted = list(fingerprints)
    found: list[AlertRecord] = []
    for start in range(0, len(wanted), _KEYS_A_QUERY):
        part = tuple(wanted[start : start + _KEYS_A_QUERY])
        marks = ",".join("?" * len(part))
        rows = connection.exec_driver_sql(
            f"SELECT {', '.join(_ALERT_COLUMNS)} FROM alert WHERE fingerprint IN ({marks})", part
        )
        found.extend(AlertRecord(*row) for row in rows)
    return found


class SightingRow(Struct, frozen=True):
    """An alert of an unresolved incident, as the correlator remembers it."""

    incident: int
    kind: str
    service: str
    env: str
    labels: dict[str, str]
    at: float
    severity: str = ""
    first: bool = False
    """Whether the incident began with it."""


_OF_OPEN: Final = (
    "FROM member AS m JOIN incident AS i ON i.number = m.incident JOIN alert AS a"
    " USING (fingerprint) WHERE i.state <> 'resolved' AND m.joined_at >= ?"
)


def recent_sightings(connection: Connection, since: float) -> list[SightingRow]:
    """Return the alerts that joined an unresolved incident since then, in their order.

    Of each kind of a service the newest: the correlator remembers no other. Found by the store,
    for in a storm there are many thousands.
    """
    return _sightings(
        connection,
        "SELECT n.incident, a.kind, a.service, a.env, a.labels, n.joined_at, a.severity,"
        " n.opened_at FROM (SELECT m.incident, m.fingerprint, m.joined_at, i.opened_at,"
        " row_number() OVER (PARTITION BY a.env, a.service, a.kind"
        f" ORDER BY m.joined_at DESC, m.fingerprint) AS place {_OF_OPEN}) AS n"
        " JOIN alert AS a USING (fingerprint) WHERE n.place = 1 ORDER BY n.joined_at",
        since,
    )


def all_sightings(connection: Connection) -> list[SightingRow]:
    """Return every alert of an unresolved incident, in the order in which they joined."""
    return _sightings(
        connection,
        "SELECT m.incident, a.kind, a.service, a.env, a.labels, m.joined_at, a.severity,"
        f" i.opened_at {_OF_OPEN} ORDER BY m.joined_at",
        0.0,
    )


def _sightings(connection: Connection, statement: str, since: float) -> list[SightingRow]:
    return [
        SightingRow(
            row.incident,
            row.kind,
            row.service,
            row.env,
            _labels.decode(row.labels),
            row.joined_at,
            row.severity,
            row.joined_at <= row.opened_at,
        )
        for row in connection.exec_driver_sql(statement, (since,))
    ]


def move_members(  # noqa: PLR0913 - all of it is what the move is
    connection: Connection,
    source: int,
    target: int,
    *,
    reason: str,
    at: float,
    only: Collection[str] | None = None,
) -> None:
    """Move the alerts of one incident, or some of them, to another."""
    if only is None:
        rows = connection.exec_driver_sql(
            "SELECT fingerprint FROM member WHERE incident = ?", (source,)
        )
        only = [row[0] for row in rows]
    keys = [(target, reason, at, source, fingerprint) for fingerprint in only]
    if not keys:
        return
    connection.exec_driver_sql(
        "INSERT INTO member (incident, fingerprint, reason, joined_at, state, starts_at, ends_at,"
        " ended_by, terms) SELECT ?, fingerprint, ?, ?, state, starts_at, ends_at, ended_by, terms"
        " FROM member WHERE incident = ? AND fingerprint = ?"
        " ON CONFLICT (incident, fingerprint) DO NOTHING",
        keys,
    )
    places = [(source, key[-1]) for key in keys]
    connection.exec_driver_sql("DELETE FROM member WHERE incident = ? AND fingerprint = ?", places)
    connection.exec_driver_sql(
        "UPDATE alert SET incident = ? WHERE incident = ? AND fingerprint = ?",
        [(target, *place) for place in places],
    )


def keep_changes(connection: Connection, fingerprint: str, changes: str) -> None:
    """Write the last states of an alert."""
    connection.exec_driver_sql(
        "UPDATE alert SET changes = ? WHERE fingerprint = ?", (changes, fingerprint)
    )


def last_number(connection: Connection) -> int:
    """Return the highest incident number ever given, 0 when there is none."""
    statement = "SELECT coalesce(max(number), 0) FROM incident"
    return int(connection.exec_driver_sql(statement).scalar_one())


def recently_resolved(connection: Connection, now: float) -> dict[tuple[str, str], int]:
    """Return, by service and environment, the last incident resolved within a day."""
    rows = connection.exec_driver_sql(
        "SELECT service, env, max(number) FROM incident WHERE resolved_at > ?"
        " AND shape <> 'candidate' GROUP BY 1, 2",
        (now - _RECURS_WITHIN_S,),
    )
    return {(row[0], row[1]): row[2] for row in rows}


def record_audit(
    connection: Connection, actor: Actor, *, at: float, action: str, subject: str
) -> None:
    """Note who did what."""
    connection.exec_driver_sql(
        "INSERT INTO audit (at, actor, via, action, subject) VALUES (?, ?, ?, ?, ?)",
        (at, actor.name, actor.via, action, subject),
    )


def record_heartbeat(connection: Connection, *, source: str, at: float) -> None:
    """Note that a source is alive."""
    connection.exec_driver_sql(
        "INSERT INTO heartbeat (source, at) VALUES (?, ?)"
        " ON CONFLICT (source) DO UPDATE SET at = excluded.at",
        (source, at),
    )


def _alert_row(record: AlertRecord, event: AlertEvent) -> tuple[object, ...]:
    return (
        *msgspec.structs.astuple(record),
        event.labels.get("alertname", ""),
        _encode(event.labels).decode(),
        _encode(event.annotations).decode(),
        event.generator_url,
    )


def _incident_row(record: IncidentRecord) -> tuple[object, ...]:
    row = msgspec.structs.asdict(record)
    row.update({name: _encode(row[name]).decode() for name in _LISTS})
    return tuple(row.values())


def _incident(row: tuple[object, ...]) -> IncidentRecord:
    values = dict(zip(_INCIDENT_COLUMNS, row, strict=True))
    values.update({name: read.decode(str(values[name])) for name, read in _LISTS.items()})
    return IncidentRecord(**values)  # type: ignore[arg-type] # the columns are the fields


def _outbox_row(entry: OutboxEntry) -> tuple[object, ...]:
    return (
        entry.key,
        entry.incident,
        entry.channel,
        entry.kind,
        entry.severity,
        int(entry.page),
        entry.since,
        entry.created_at,
        entry.next_at,
    )
