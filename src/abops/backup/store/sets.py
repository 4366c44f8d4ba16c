"""The backups as their destinations tell them.

A destination's own `info` is the truth; the catalog is a copy of it that can be asked when the
destination is away. A set that is no longer told stays as history: expired if we asked for that,
lost if we did not.
"""

from collections.abc import Collection, Iterable

import msgspec
from sqlalchemy import Connection, and_, select, update

from abops.backup.model import SetFacts
from abops.backup.store.entries import upsert
from abops.backup.store.records import SetState
from abops.backup.store.schema import backup


def note_sets(
    connection: Connection,
    destination: str,
    generation: str,
    told: Iterable[SetFacts],
    *,
    expired: Collection[str] = (),
) -> tuple[str, ...]:
    """Make the catalog equal to what the destination tells; return labels that were lost.

    `expired` are the labels that we asked the engine to remove.
    """
    here = and_(backup.c.destination == destination, backup.c.generation == generation)
    rows = [{**msgspec.structs.asdict(one), "state": "stored"} for one in told]
    labels = {row["label"] for row in rows}
    stored = connection.execute(select(backup.c.label).where(here, backup.c.state == "stored"))
    gone = {label for (label,) in stored} - labels
    upsert(connection, backup, rows)
    for label in gone:
        state: SetState = "expired" if label in expired else "lost"
        connection.execute(update(backup).where(here, backup.c.label == label).values(state=state))
    return tuple(sorted(gone - set(expired)))


def note_expiring(
    connection: Connection, destination: str, generation: str, labels: Iterable[str]
) -> None:
    """Note that sets are about to be removed: should nobody see the end of it, they are not lost.

    The next time that the destination tells them they are stored again.
    """
    here = and_(backup.c.destination == destination, backup.c.generation == generation)
    going = and_(here, backup.c.label.in_(tuple(labels)))
    state: SetState = "expired"
    connection.execute(update(backup).where(going).values(state=state))


def sets(
    connection: Connection,
    destination: str | None = None,
    generation: str | None = None,
    *,
    state: SetState = "stored",
) -> tuple[SetFacts, ...]:
    """Return sets by destination, generation and label, which is by time."""
    statement = select(backup).where(backup.c.state == state)
    if destination is not None:
        statement = statement.where(backup.c.destination == destination)
    if generation is not None:
        statement = statement.where(backup.c.generation == generation)
    names = SetFacts.__struct_fields__
    rows = connection.execute(statement.order_by(*backup.primary_key.columns)).mappings()
    return tuple(msgspec.convert({n: row[n] for n in names}, SetFacts) for row in rows)
