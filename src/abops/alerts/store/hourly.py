"""The hourly digest in the outbox: items that are told together, each of an incident of its own.

A digest is no item of its own, so that nothing is lost or told twice when one of its incidents
becomes urgent in the meantime: that item is then told alone.
"""

from collections.abc import Collection

from sqlalchemy import Connection


def put_off(connection: Connection, incident: int, channels: Collection[str], at: float) -> int:
    """Make first messages that wait lines of the digest that is due then; return how many."""
    moved = 0
    for channel in channels:
        done = connection.exec_driver_sql(
            "UPDATE outbox SET kind = 'hourly', next_at = ? WHERE incident = ? AND channel = ?"
            " AND kind = 'open' AND state = 'pending' AND attempts = 0 AND page = 0",
            (at, incident, channel),
        )
        moved += done.rowcount
    return moved


def tell_alone(connection: Connection, incident: int, at: float) -> set[str]:
    """Make messages of their own of an incident's lines in the digest; return the channels."""
    rows = connection.exec_driver_sql(
        "UPDATE outbox SET kind = 'open', next_at = ? WHERE incident = ? AND kind = 'hourly'"
        " AND state = 'pending' RETURNING channel",
        (at, incident),
    )
    return {row[0] for row in rows}


def waiting(connection: Connection) -> set[int]:
    """Return the incidents that wait for the digest."""
    rows = connection.exec_driver_sql(
        "SELECT DISTINCT incident FROM outbox WHERE kind = 'hourly' AND state = 'pending'"
    )
    return {row[0] for row in rows}


def claim_rest(connection: Connection, channel: str, now: float) -> list[tuple[int, int]]:
    """Take what else of a channel's digest is due; return ids and incidents, in order."""
    rows = connection.exec_driver_sql(
        "UPDATE outbox SET state = 'sending', attempts = attempts + 1 WHERE channel = ?"
        " AND kind = 'hourly' AND state IN ('pending', 'retry') AND next_at <= ?"
        " RETURNING id, incident",
        (channel, now),
    )
    return sorted((row[0], row[1]) for row in rows)
