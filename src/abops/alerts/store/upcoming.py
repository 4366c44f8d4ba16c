"""Which escalations are due next: the timers that have not gone off."""

from collections.abc import Sequence

from sqlalchemy import Connection


def escalations(
    connection: Connection, kind: str, numbers: Sequence[int]
) -> list[tuple[int, float, str]]:
    """Return, of these incidents, when something is due and how far their ladder has come."""
    if not numbers:
        return []
    marks = ", ".join("?" * len(numbers))
    rows = connection.exec_driver_sql(
        "SELECT incident, due, data FROM timer WHERE fired_at IS NULL AND kind = ?"
        f" AND incident IN ({marks})",
        (kind, *numbers),
    )
    return [(int(row[0]), float(row[1]), str(row[2])) for row in rows]
