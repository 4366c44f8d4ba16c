"""What parts of the service remember from one start to the next, and what was changed lately."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection

_decode = msgspec.json.Decoder(dict[str, object]).decode
_encode = msgspec.json.Encoder().encode


def recall(connection: Connection, name: str) -> dict[str, object] | None:
    """Return what was kept under this name. None: nothing yet."""
    found = connection.exec_driver_sql(
        "SELECT content FROM learned WHERE name = ?", (name,)
    ).scalar()
    return None if found is None else _decode(str(found))


def keep(
    connection: Connection, name: str, content: dict[str, object], *, at: float, event: int = 0
) -> None:
    """Keep values under a name, in place of what was there; `event` is the last they reflect."""
    connection.exec_driver_sql(
        "INSERT INTO learned (name, at, event, content) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET at = excluded.at, event = excluded.event,"
        " content = excluded.content",
        (name, at, event, _encode(content).decode()),
    )


def changes_between(
    connection: Connection, env: str, since: float, until: float
) -> Sequence[tuple[str, float, str, str]]:
    """Return service, time, title and kind of what was changed there then, the oldest first."""
    rows = connection.exec_driver_sql(
        "SELECT service, at, title, kind FROM change WHERE at BETWEEN ? AND ? AND env IN (?, '')"
        " ORDER BY at, id",
        (since, until, env),
    )
    return [(row[0], row[1], row[2], row[3]) for row in rows]
