"""A drill from its scene to its evidence; a failure is a result like any other, and is kept."""

import asyncio
import secrets
from collections.abc import Sequence
from typing import Final

from abops.backup.drill.checks import failed
from abops.backup.drill.evidence import Evidence, Kind, read_evidence, write_evidence
from abops.backup.drill.rehearse import Rehearsed, Timed, rehearse
from abops.backup.drill.scene import set_scene
from abops.backup.model import Home, Site
from abops.backup.store.database import Catalog
from abops.backup.store.entries import put
from abops.backup.store.records import Drill
from abops.kernel.clock import Clock
from abops.kernel.errors import OpsError

BOX_RATIO: Final = 4.0
SHORTEST_BOX_S: Final = 120.0
FIRST_BOX_S: Final = 3_600.0


async def drill(  # noqa: PLR0913 - what a drill is told
    home: Home, site: Site, destination: str, kind: Kind, clock: Clock, *, hurry: bool = False
) -> Evidence:
    """Rehearse one restore from a destination; return what it showed, also when it failed."""
    box_s = time_box(destination, read_evidence(home))
    scene = await set_scene(home, site, destination, kind, clock, box_s=box_s, hurry=hurry)
    started, timed, found = clock.now(), Timed(clock), Rehearsed()
    error = ""
    try:
        async with asyncio.timeout(box_s):
            await rehearse(home, site, scene, clock, timed, found)
    except TimeoutError:
        error = f"not done within {box_s:.0f} s, {BOX_RATIO:g} times the last"
    except OpsError as problem:
        error = str(problem)
    wrong = failed(tuple(found.checks))
    if wrong and not error:
        error = "; ".join(f"not true: {one.claim} ({one.detail})" for one in wrong)
    facts = found.made.facts if found.made else None
    evidence = Evidence(
        id=f"{started:%Y%m%d-%H%M%S}-{destination}-{kind}-{secrets.token_hex(2)}",
        destination=destination,
        generation=facts.generation if facts else "",
        label=facts.label if facts else "",
        kind=kind,
        started=started.timestamp(),
        ended=clock.now().timestamp(),
        outcome="failed" if error else "success",
        target=scene.target,
        rto_s=sum(timed.phases.values()),
        rpo_s=found.rpo_s,
        phases=timed.phases,
        size=facts.size if facts else 0,
        segments=found.made.segments if found.made else 0,
        point=scene.point.name,
        tables=found.tables,
        checks=tuple(found.checks),
        error=error,
    )
    write_evidence(home, evidence)
    _note(home, evidence)
    return evidence


def time_box(destination: str, history: Sequence[Evidence]) -> float:
    """Return how long a drill may take: four times what the last good one took."""
    good = [one for one in history if one.destination == destination and one.outcome == "success"]
    return max(BOX_RATIO * good[-1].rto_s, SHORTEST_BOX_S) if good else FIRST_BOX_S


def next_kind(destination: str, history: Sequence[Evidence]) -> Kind:
    """Return what comes next: the latest point and a moment of the past take turns."""
    own = [one for one in history if one.destination == destination]
    return "time" if own and own[-1].kind == "latest" else "latest"


def next_destination(names: Sequence[str], history: Sequence[Evidence]) -> str:
    """Return the destination that was rehearsed least recently."""
    last = {one.destination: one.started for one in history}
    return min(names, key=lambda name: last.get(name, 0.0))


def record_of(one: Evidence) -> Drill:
    """Return what the catalog keeps of a drill."""
    return Drill(
        id=one.id,
        destination=one.destination,
        generation=one.generation,
        label=one.label,
        kind=one.kind,
        started=one.started,
        ended=one.ended,
        outcome=one.outcome,
        target=one.target,
        rto_s=one.rto_s,
        rpo_s=one.rpo_s,
        phases=one.phases,
        error=one.error,
    )


def _note(home: Home, one: Evidence) -> None:
    """Put it into the catalog, which the metrics are made of."""
    catalog = Catalog(home.catalog)
    try:
        with catalog.write() as connection:
            put(connection, record_of(one))
    finally:
        catalog.close()
