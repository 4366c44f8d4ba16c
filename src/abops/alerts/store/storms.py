"""Storms on disk: what raged, how much came against what is normal, what stood for the rest."""

from collections.abc import Collection

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Row

from abops.alerts.model import Severity, Storm, StormSample
from abops.alerts.store.dialect import json_text
from abops.kernel.clock import moment

_encode = msgspec.json.Encoder().encode
_samples = msgspec.json.Decoder(tuple[StormSample, ...])
_labels = msgspec.json.Decoder(dict[str, str])
_COLUMNS = (
    "id, scope, incident, began_at, ended_at, rate, baseline, alerts, digested, paged_alone,"
    " representatives"
)


class StormRow(Struct):
    """A storm as the writer's thread holds it."""

    id: int
    scope: str
    incident: int
    began_at: float
    rate: float
    baseline: float
    ended_at: float | None = None
    alerts: int = 0
    digested: int = 0
    paged_alone: int = 0
    samples: tuple[StormSample, ...] = ()


class MemberSeen(Struct, frozen=True):
    """An alert of a storm, as its digest counts it."""

    fingerprint: str
    kind: str
    service: str
    severity: Severity
    labels: dict[str, str]
    at: float
    alike: int = 1
    """Alerts of its kind, service and node, itself included."""


def begin(connection: Connection, row: StormRow) -> int:
    """Write a storm that has just begun and return its number."""
    return int(
        connection.exec_driver_sql(
            "INSERT INTO storm (scope, incident, began_at, ended_at, rate, baseline, alerts,"
            " digested, paged_alone, representatives) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " RETURNING id",
            _values(row),
        ).scalar_one()
    )


def update(connection: Connection, row: StormRow) -> None:
    """Write how a storm stands."""
    connection.exec_driver_sql(
        "UPDATE storm SET scope = ?, incident = ?, began_at = ?, ended_at = ?, rate = ?,"
        " baseline = ?, alerts = ?, digested = ?, paged_alone = ?, representatives = ?"
        " WHERE id = ?",
        (*_values(row), row.id),
    )


def running(connection: Connection) -> list[StormRow]:
    """Return the storms that are not over."""
    rows = connection.exec_driver_sql(
        f"SELECT {_COLUMNS} FROM storm WHERE ended_at IS NULL ORDER BY id"
    )
    return [
        StormRow(
            id=row.id,
            scope=row.scope,
            incident=row.incident,
            began_at=row.began_at,
            rate=row.rate,
            baseline=row.baseline,
            alerts=row.alerts,
            digested=row.digested,
            paged_alone=row.paged_alone,
            samples=_samples.decode(row.representatives),
        )
        for row in rows
    ]


def listed(connection: Connection, limit: int) -> tuple[Storm, ...]:
    """Return storms, those that rage first, then the newest."""
    rows = connection.exec_driver_sql(
        f"SELECT {_COLUMNS} FROM storm ORDER BY ended_at IS NOT NULL, id DESC LIMIT ?", (limit,)
    )
    return tuple(_storm(row) for row in rows)


def of_incident(connection: Connection, number: int) -> Storm | None:
    """Return the last storm that an incident stands for."""
    row = connection.exec_driver_sql(
        f"SELECT {_COLUMNS} FROM storm WHERE incident = ? ORDER BY id DESC LIMIT 1", (number,)
    ).first()
    return None if row is None else _storm(row)


def members(connection: Connection, incidents: Collection[int]) -> dict[int, list[MemberSeen]]:
    """Return by storm an alert of each kind, service and node, and how many there are.

    Counted by the store, for all storms at once: a replica that takes the lead in a storm of many
    thousands has no time to read them all.
    """
    found: dict[int, list[MemberSeen]] = {number: [] for number in incidents}
    if not found:
        return found
    node = json_text(connection, "a.labels", "node")
    marks = ",".join("?" * len(found))
    rows = connection.exec_driver_sql(
        "SELECT g.incident, a.fingerprint, a.kind, a.service, a.severity, a.labels, g.began_at,"
        " g.alike FROM (SELECT m.incident, min(a.fingerprint) AS fingerprint,"
        " min(m.joined_at) AS began_at, count(*) AS alike"
        f" FROM member AS m JOIN alert AS a USING (fingerprint) WHERE m.incident IN ({marks})"
        f" GROUP BY m.incident, a.service, a.kind, coalesce({node}, '')"
        ") AS g JOIN alert AS a USING (fingerprint) ORDER BY g.began_at, a.fingerprint",
        tuple(found),
    )
    for row in rows:
        seen = MemberSeen(
            row.fingerprint,
            row.kind,
            row.service,
            row.severity,
            _labels.decode(row.labels),
            row.began_at,
            row.alike,
        )
        found[row.incident].append(seen)
    return found


def kinds_seen(connection: Connection) -> dict[str, float]:
    """Return when each kind was last seen to begin."""
    rows = connection.exec_driver_sql(
        "SELECT kind, max(starts_at) FROM alert WHERE kind <> '' GROUP BY kind"
    )
    return {row[0]: row[1] for row in rows}


def _values(row: StormRow) -> tuple[object, ...]:
    return (
        row.scope,
        row.incident,
        row.began_at,
        row.ended_at,
        row.rate,
        row.baseline,
        row.alerts,
        row.digested,
        row.paged_alone,
        _encode(row.samples).decode(),
    )


def _storm(row: "Row[tuple[object, ...]]") -> Storm:
    return Storm(
        scope=row.scope,
        incident=row.incident,
        began_at=moment(row.began_at),
        ended_at=None if row.ended_at is None else moment(row.ended_at),
        rate=row.rate,
        baseline=row.baseline,
        alerts=row.alerts,
        digested=row.digested,
        paged_alone=row.paged_alone,
        samples=_samples.decode(row.representatives),
    )
