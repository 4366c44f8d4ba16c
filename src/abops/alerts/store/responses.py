"""How quickly people answered, counted from the rows of the incidents; what they said later."""

from msgspec import Struct
from sqlalchemy import Connection


class SeverityCount(Struct, frozen=True):
    """The incidents of one severity within a time."""

    severity: str
    incidents: int
    unresolved: int
    acknowledged: int
    resolved: int
    noise: int
    mtta_s: float | None
    """Mean seconds from opening to the acknowledgement. None: nothing was acknowledged."""
    mttr_s: float | None
    """Mean seconds from opening to the end. None: nothing was resolved."""


def by_severity(connection: Connection, since: float, until: float) -> tuple[SeverityCount, ...]:
    """Count what opened in a time, merged incidents left out, the most severe first."""
    rows = connection.exec_driver_sql(
        "SELECT severity, count(*), count(*) FILTER (WHERE state <> 'resolved'), count(acked_at),"
        " count(resolved_at), sum(noise), avg(acked_at - opened_at), avg(resolved_at - opened_at)"
        " FROM incident WHERE opened_at >= ? AND opened_at < ? AND merged_into IS NULL"
        " AND shape <> 'candidate'"
        " GROUP BY severity"
        " ORDER BY CASE severity WHEN 'critical' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END",
        (since, until),
    )
    return tuple(
        SeverityCount(
            severity=row[0],
            incidents=row[1],
            unresolved=row[2],
            acknowledged=row[3],
            resolved=row[4],
            noise=row[5],
            mtta_s=row[6],
            mttr_s=row[7],
        )
        for row in rows
    )


def mark_noise(connection: Connection, number: int, *, noise: bool) -> bool:
    """Say of a resolved incident whether it was noise; return whether that was new."""
    changed = connection.exec_driver_sql(
        "UPDATE incident SET noise = ?, revision = revision + 1 WHERE number = ? AND noise <> ?",
        (int(noise), number, int(noise)),
    )
    return changed.rowcount > 0
