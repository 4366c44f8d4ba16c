"""Reading what was said in a time, to hold present rules against it."""

from collections.abc import Iterator
from typing import Final

import msgspec
from sqlalchemy import Connection

from abops.alerts.model import AlertEvent
from abops.kernel.clock import moment

_LABELS: Final = msgspec.json.Decoder(dict[str, str])
_ROWS: Final = 5_000


def said_between(
    connection: Connection, since: float, until: float
) -> Iterator[tuple[float, AlertEvent]]:
    """Give what was said in a time, as it came, with when it came."""
    last = 0
    while True:
        rows = connection.exec_driver_sql(
            "SELECT id, received_at, key, fingerprint, status, labels, annotations, starts_at,"
            " ends_at, generator_url, source FROM event WHERE id > ? AND received_at >= ?"
            " AND received_at < ? ORDER BY id LIMIT ?",
            (last, since, until, _ROWS),
        ).all()
        for row in rows:
            last = int(row[0])
            yield (
                float(row[1]),
                AlertEvent(
                    key=bytes(row[2]),
                    fingerprint=row[3],
                    status=row[4],
                    labels=_LABELS.decode(row[5]),
                    annotations=_LABELS.decode(row[6]),
                    starts_at=moment(row[7]),
                    ends_at=None if row[8] is None else moment(row[8]),
                    generator_url=row[9],
                    source=row[10],
                ),
            )
        if len(rows) < _ROWS:
            return


def told_between(connection: Connection, since: float, until: float) -> tuple[int, int, int]:
    """Return how many incidents opened in a time, and messages and pages there were for them."""
    row = connection.exec_driver_sql(
        "SELECT (SELECT count(*) FROM incident WHERE opened_at >= ? AND opened_at < ?"
        " AND merged_into IS NULL AND shape <> 'candidate'), count(*), coalesce(sum(page), 0)"
        " FROM outbox WHERE created_at >= ? AND created_at < ? AND state <> 'skipped'"
        " AND kind <> 'update'",
        (since, until, since, until),
    ).one()
    return int(row[0]), int(row[1]), int(row[2])
