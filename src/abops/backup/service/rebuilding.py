"""Having the catalog again after it was lost: from what destinations say and evidence shows.

Losing it costs history, never a backup. Backups and how they are kept come from each destination's
own words, for every key generation that this home has a configuration of; drills come from their
evidence. Verdicts do not: the next verification gives them, and until then nothing expires.
"""

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from abops.backup.drill.evidence import read_evidence
from abops.backup.drill.run import record_of
from abops.backup.model import Destination, Home, Site
from abops.backup.postgres.engine import engine_of
from abops.backup.postgres.site import generations_of
from abops.backup.service.look import look_at
from abops.backup.store.database import Catalog, CatalogError
from abops.backup.store.entries import put
from abops.backup.store.sets import note_sets
from abops.kernel.clock import Clock, SystemClock


class Rebuilt(Struct, frozen=True, kw_only=True):
    """What one key generation of a destination told."""

    destination: str
    generation: str
    sets: int = 0
    lost: tuple[str, ...] = ()
    """Sets that were known and are not told any more."""
    error: str = ""
    hint: str = ""


async def rebuild(
    home: Home, site: Site, places: Sequence[Destination], *, clock: Clock | None = None
) -> tuple[tuple[Rebuilt, ...], Path | None]:
    """Write the catalog again; return what each told, and where a broken one was put."""
    aside = _put_aside(home, clock or SystemClock())
    asked = [one for place in places for one in generations_of(home, place)]
    found = await look_at(home, site, engine_of(home, site), asked)
    catalog = Catalog(home.catalog)
    rows = []
    try:
        with catalog.write() as connection:
            put(connection, *(record_of(one) for one in read_evidence(home)))
            for seen in found:
                at = seen.destination
                row = Rebuilt(destination=at.name, generation=at.generation)
                if seen.problem is not None:
                    problem = seen.problem
                    rows.append(replace(row, error=str(problem), hint=problem.hint))
                    continue
                lost = note_sets(connection, at.name, at.generation, seen.sets)
                rows.append(replace(row, sets=len(seen.sets), lost=lost))
    finally:
        catalog.close()
    return tuple(rows), aside


def _put_aside(home: Home, clock: Clock) -> Path | None:
    """Move a catalog that cannot be used out of the way; return where it is now."""
    if not home.catalog.exists():
        return None
    catalog = Catalog(home.catalog)
    try:
        with catalog.read() as connection:
            connection.exec_driver_sql("SELECT count(*) FROM backup")
    except CatalogError:
        aside = home.catalog.with_name(f"{home.catalog.name}.broken-{clock.now():%Y%m%dT%H%M%SZ}")
        home.catalog.rename(aside)
        for left in ("-wal", "-shm"):
            home.catalog.with_name(home.catalog.name + left).unlink(missing_ok=True)
        return aside
    finally:
        catalog.close()
    return None
