"""Records in and out of the catalog: one way to write each of them, twice is once.

A record's fields are its table's columns, so there is nothing to translate.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Connection, Table, delete, select
from sqlalchemy.dialects.sqlite import insert

from abops.backup.model import Destination
from abops.backup.store import records, schema

_R = TypeVar("_R", bound=msgspec.Struct)
Condition: TypeAlias = ColumnElement[bool]

TABLES: Final[dict[type[msgspec.Struct], Table]] = {
    records.Run: schema.run,
    records.Check: schema.check,
    records.Verdict: schema.verdict,
    records.Drill: schema.drill,
    records.MirrorRun: schema.mirror,
    records.Bundle: schema.bundle,
    records.Key: schema.key,
    records.Hold: schema.hold,
    records.Listing: schema.listing,
}


def put(connection: Connection, *found: msgspec.Struct) -> None:
    """Write records; one that is there already under the same key is replaced."""
    for record in found:
        upsert(connection, TABLES[type(record)], [msgspec.to_builtins(record)])


def get(
    connection: Connection,
    kind: type[_R],
    *where: Condition,
    newest: str = "",
    limit: int | None = None,
) -> tuple[_R, ...]:
    """Return the records that meet every condition, by the column `newest` from new to old."""
    table = TABLES[kind]
    statement = select(table).where(*where)
    if newest:
        statement = statement.order_by(table.c[newest].desc())
    else:
        statement = statement.order_by(*table.primary_key.columns)
    rows = connection.execute(statement.limit(limit)).mappings()
    names = kind.__struct_fields__
    return tuple(msgspec.convert({n: row[n] for n in names}, kind, strict=False) for row in rows)


def of(kind: type[msgspec.Struct], place: Destination) -> tuple[Condition, ...]:
    """Return the conditions that a record is about a destination's present key generation."""
    table = TABLES[kind]
    return (table.c.destination == place.name, table.c.generation == place.generation)


def drop(connection: Connection, kind: type[msgspec.Struct], *where: Condition) -> int:
    """Remove the records that meet every condition; return how many there were."""
    return connection.execute(delete(TABLES[kind]).where(*where)).rowcount


def upsert(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows, replacing those with the same primary key."""
    if not rows:
        return
    statement = insert(table)
    keys = [column.name for column in table.primary_key.columns]
    others = _others(table, keys)
    if others:
        statement = statement.on_conflict_do_update(
            index_elements=keys, set_={name: statement.excluded[name] for name in others}
        )
    else:
        statement = statement.on_conflict_do_nothing(index_elements=keys)
    connection.execute(statement, list(rows))


def _others(table: Table, keys: Iterable[str]) -> list[str]:
    return [column.name for column in table.columns if column.name not in set(keys)]
