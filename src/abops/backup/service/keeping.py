"""Keeping a set by name: retention leaves it, with all that it stands on, until told otherwise.

The name is written into the destination, beside the set: who loses the catalog, or restores on an
empty machine, still keeps what was promised to be kept.
"""

from datetime import date
from typing import Final

from abops.backup.model import Destination, Home, SetFacts, Site
from abops.backup.postgres.engine import engine_of
from abops.backup.postgres.facts import KEEP_ANNOTATION, UNTIL_ANNOTATION
from abops.backup.postgres.faults import DestinationError, explain
from abops.backup.service.lock import hold
from abops.backup.service.look import look, look_at
from abops.backup.store.database import Catalog
from abops.backup.store.sets import note_sets

ANNOTATE_TIMEOUT_S: Final = 120.0


class SetAbsentError(DestinationError):
    """No destination tells of this set."""

    hint = "See which sets there are: abops backup list."


async def place_with(
    home: Home, site: Site, places: tuple[Destination, ...], label: str
) -> Destination:
    """Return the destination that has the set; labels are of one alone. Raises SetAbsentError."""
    found = await look_at(home, site, engine_of(home, site), places)
    for seen in found:
        if any(one.label == label for one in seen.sets):
            return seen.destination
    away = ", ".join(str(seen.problem) for seen in found if seen.problem is not None)
    raise SetAbsentError(f"no set {label}" + (f"; not asked: {away}" if away else ""))


async def keep(  # noqa: PLR0913, PLR0917 - a set, and how it is kept
    home: Home, site: Site, place: Destination, label: str, name: str, until: date | None = None
) -> SetFacts:
    """Keep a set under a name, or with an empty one let it go. Raises DestinationError."""
    engine = engine_of(home, site)
    with hold(home, place.name, "a change of what is kept"):
        answer = await engine.run(
            home.engine(place.name, place.generation),
            site.stanza,
            "annotate",
            f"--set={label}",
            f"--annotation={KEEP_ANNOTATION}={name}",
            f"--annotation={UNTIL_ANNOTATION}={until.isoformat() if until and name else ''}",
            timeout_s=ANNOTATE_TIMEOUT_S,
        )
        if answer.code != 0:
            raise explain(place, "annotate", answer)
        seen = await look(home, site, engine, place)
        if seen.problem is not None:
            raise seen.problem
    catalog = Catalog(home.catalog)
    try:
        with catalog.write() as connection:
            note_sets(connection, place.name, place.generation, seen.sets)
    finally:
        catalog.close()
    kept = next((one for one in seen.sets if one.label == label), None)
    if kept is None:
        raise SetAbsentError(f"{place.name}: the set {label} is not told any more")
    return kept
