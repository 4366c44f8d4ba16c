"""How the channels stand: what waits for each, what was told last, what was given up."""

from msgspec import Struct
from sqlalchemy import Connection

DAY_S = 86_400.0


class ChannelRow(Struct, frozen=True):
    """One channel's outbox in figures."""

    channel: str
    waiting: int = 0
    """Messages that are due or wait for another attempt."""
    held: int = 0
    """Messages that wait for the morning or the hourly digest."""
    oldest_at: float | None = None
    """Since when the oldest message waits that is due."""
    told: int = 0
    """Messages that it took within a day."""
    told_at: float | None = None
    dead: int = 0
    """Messages that were given up within a day."""
    error: str = ""
    """What it answered last when it did not take something that waits or was given up."""


def channels(connection: Connection, now: float) -> list[ChannelRow]:
    """Return the channels to which anything was or is to be told, by name."""
    since = now - DAY_S
    rows = connection.exec_driver_sql(
        "SELECT channel,"
        " sum(CASE WHEN state IN ('pending', 'sending', 'retry') AND (next_at <= ? OR attempts > 0)"
        " THEN 1 ELSE 0 END),"
        " sum(CASE WHEN state = 'pending' AND next_at > ? AND attempts = 0 THEN 1 ELSE 0 END),"
        " min(CASE WHEN state IN ('pending', 'sending', 'retry') AND (next_at <= ?"
        " OR attempts > 0) THEN created_at END),"
        " sum(CASE WHEN state = 'done' AND delivered_at >= ? THEN 1 ELSE 0 END),"
        " max(delivered_at),"
        " sum(CASE WHEN state = 'dead' AND created_at >= ? THEN 1 ELSE 0 END),"
        " max(CASE WHEN state IN ('retry', 'dead') AND created_at >= ? AND error <> ''"
        " THEN id END)"
        " FROM outbox GROUP BY channel ORDER BY channel",
        (now, now, now, since, since, since),
    ).all()
    return [
        ChannelRow(
            row[0],
            int(row[1]),
            int(row[2]),
            row[3],
            int(row[4]),
            row[5],
            int(row[6]),
            _error(connection, row[7]),
        )
        for row in rows
    ]


def _error(connection: Connection, item: int | None) -> str:
    if item is None:
        return ""
    found = connection.exec_driver_sql("SELECT error FROM outbox WHERE id = ?", (item,))
    return str(found.scalar() or "")
