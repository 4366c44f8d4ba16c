"""What people ask: lists of incidents, one incident, figures. Only reads, of the last commit."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Row

from abops.alerts.model import (
    Alert,
    Delivery,
    IncidentDetail,
    IncidentState,
    IncidentSummary,
    Member,
    SuspectedCause,
    TimelineEntry,
)
from abops.alerts.store import storms
from abops.kernel.clock import moment

_strings = msgspec.json.Decoder(tuple[str, ...])
_causes = msgspec.json.Decoder(tuple[SuspectedCause, ...])
_labels = msgspec.json.Decoder(dict[str, str])
_SUMMARY = (
    "number, title, state, severity, service, env, team, opened_at, updated_at, alerts, firing,"
    " channels, acked_at, acked_by, resolved_at, recurs, revision, runbook_url, description,"
    " shape, owner, merged_into, score, score_terms, causes, level, noise"
)


class _Flap(Struct, frozen=True):
    """What of an alert's last states is shown."""

    flapping: bool = False
    counted: int = 0


_decode_flap = msgspec.json.Decoder(_Flap).decode
_TIMELINE_AT_MOST = 500


def incidents(
    connection: Connection, *, state: IncidentState | None, limit: int, since: float = 0.0
) -> tuple[IncidentSummary, ...]:
    """Return incidents opened since then: unresolved ones first, in each group the newest first."""
    groups = {
        None: ("state <> 'resolved'", "state = 'resolved'"),
        "resolved": ("state = 'resolved'",),
        "open": ("state = 'open' AND state <> 'resolved'",),
        "acked": ("state = 'acked' AND state <> 'resolved'",),
    }
    found: list[IncidentSummary] = []
    for condition in groups[state]:
        rows = connection.exec_driver_sql(
            f"SELECT {_SUMMARY} FROM incident WHERE {condition} AND opened_at >= ?"
            " AND shape <> 'candidate' ORDER BY number DESC LIMIT ?",
            (since, limit - len(found)),
        )
        found.extend(_summary(row) for row in rows)
    return tuple(found)


def summary(connection: Connection, number: int) -> IncidentSummary | None:
    """Return the line of one incident."""
    row = _row(connection, number)
    return None if row is None else _summary(row)


def summaries(connection: Connection, numbers: Sequence[int]) -> tuple[IncidentSummary, ...]:
    """Return the lines of these incidents, in this order; one that is gone is left out."""
    if not numbers:
        return ()
    marks = ", ".join("?" * len(numbers))
    rows = connection.exec_driver_sql(
        f"SELECT {_SUMMARY} FROM incident WHERE number IN ({marks})", tuple(numbers)
    )
    found = {row.number: _summary(row) for row in rows}
    return tuple(found[number] for number in numbers if number in found)


def incident(connection: Connection, number: int, *, members: int) -> IncidentDetail | None:
    """Return one incident with at most so many of its alerts, firing ones first."""
    row = _row(connection, number)
    if row is None:
        return None
    return IncidentDetail(
        summary=_summary(row),
        members=_members(connection, number, members),
        timeline=_timeline(connection, number),
        deliveries=_deliveries(connection, number),
        runbook_url=row.runbook_url,
        description=row.description,
        causes=_causes.decode(row.causes),
        storm=storms.of_incident(connection, number) if row.shape == "storm" else None,
    )


def open_by_severity(connection: Connection) -> dict[str, int]:
    """Count the unresolved incidents."""
    rows = connection.exec_driver_sql(
        "SELECT severity, count(*) FROM incident WHERE state <> 'resolved'"
        " AND shape <> 'candidate' GROUP BY severity"
    )
    return {row[0]: row[1] for row in rows}


def heartbeat_at(connection: Connection, source: str) -> float | None:
    """Return when a source last said that it is alive."""
    found = connection.exec_driver_sql(
        "SELECT at FROM heartbeat WHERE source = ?", (source,)
    ).scalar()
    return None if found is None else float(found)


def _row(connection: Connection, number: int) -> "Row[tuple[object, ...]] | None":
    statement = f"SELECT {_SUMMARY} FROM incident WHERE number = ?"
    return connection.exec_driver_sql(statement, (number,)).first()


def _summary(row: "Row[tuple[object, ...]]") -> IncidentSummary:
    return IncidentSummary(
        number=row.number,
        title=row.title,
        state=row.state,
        severity=row.severity,
        service=row.service,
        env=row.env,
        team=row.team,
        opened_at=moment(row.opened_at),
        updated_at=moment(row.updated_at),
        alerts=row.alerts,
        firing=row.firing,
        channels=_strings.decode(row.channels),
        acked_at=_maybe(row.acked_at),
        acked_by=row.acked_by,
        resolved_at=_maybe(row.resolved_at),
        recurs=row.recurs,
        revision=row.revision,
        shape=row.shape,
        owner=row.owner,
        merged_into=row.merged_into,
        score=row.score,
        score_terms=_strings.decode(row.score_terms),
        cause=next((cause.entity for cause in _causes.decode(row.causes)), ""),
        level=row.level,
        noise=bool(row.noise),
    )


def _members(connection: Connection, number: int, limit: int) -> tuple[Member, ...]:
    rows = connection.exec_driver_sql(
        "SELECT a.fingerprint, a.name, a.severity, a.service, a.env, m.state, a.labels,"
        " a.annotations, m.starts_at, m.ends_at, m.ended_by, a.generator_url, m.reason,"
        " m.joined_at, m.terms, a.changes FROM member AS m JOIN alert AS a USING (fingerprint)"
        " WHERE m.incident = ? ORDER BY m.state = 'resolved', m.joined_at LIMIT ?",
        (number, limit),
    )
    return tuple(
        Member(
            alert=Alert(
                fingerprint=row.fingerprint,
                name=row.name,
                severity=row.severity,
                service=row.service,
                env=row.env,
                state=row.state,
                labels=_labels.decode(row.labels),
                annotations=_labels.decode(row.annotations),
                starts_at=moment(row.starts_at),
                ends_at=_maybe(row.ends_at),
                ended_by=row.ended_by,
                generator_url=row.generator_url,
                flapping=(flap := _flap(row.changes)).flapping,
                changes=flap.counted,
            ),
            reason=row.reason,
            joined_at=moment(row.joined_at),
            terms=_strings.decode(row.terms),
        )
        for row in rows
    )


def _flap(changes: str) -> _Flap:
    return _decode_flap(changes) if changes else _Flap()


def _timeline(connection: Connection, number: int) -> tuple[TimelineEntry, ...]:
    rows = connection.exec_driver_sql(
        "SELECT at, kind, text, actor FROM timeline WHERE incident = ? ORDER BY id DESC LIMIT ?",
        (number, _TIMELINE_AT_MOST),
    )
    entries = [TimelineEntry(moment(row.at), row.kind, row.text, row.actor) for row in rows]
    return tuple(reversed(entries))


def _deliveries(connection: Connection, number: int) -> tuple[Delivery, ...]:
    rows = connection.exec_driver_sql(
        "SELECT channel, kind, state, attempts, created_at, delivered_at, since, error"
        " FROM outbox WHERE incident = ? ORDER BY id DESC LIMIT ?",
        (number, _TIMELINE_AT_MOST),
    )
    found = [
        Delivery(
            channel=row.channel,
            kind=row.kind,
            state=row.state,
            attempts=row.attempts,
            created_at=moment(row.created_at),
            delivered_at=_maybe(row.delivered_at),
            latency_s=None if row.delivered_at is None else row.delivered_at - row.since,
            error=row.error,
        )
        for row in rows
    ]
    return tuple(reversed(found))


def _maybe(seconds: float | None) -> datetime | None:
    return None if seconds is None else moment(seconds)
