"""How the protection stands: what each destination holds, how fresh it is, what is under way."""

from datetime import datetime
from typing import Literal

import msgspec

from abops.backup.model import Destination, SetFacts
from abops.backup.service.lock import holder, is_held, progress
from abops.backup.service.look import Seen, look_at
from abops.backup.service.run import BackupService
from abops.backup.store.sets import sets as known_sets

State = Literal["ready", "empty", "running", "away"]


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One destination."""

    destination: str
    generation: str
    state: State
    last_full: float | None = None
    last: float | None = None
    """When the newest backup ended, seconds since 1970."""
    sets: int = 0
    stored: int = 0
    wal_from: str = ""
    wal_to: str = ""
    last_run: str = ""
    """How the last run ended."""
    detail: str = ""
    hint: str = ""


class Kept(msgspec.Struct, frozen=True):
    """A set, and whether its destination told of it just now or the catalog remembers it."""

    facts: SetFacts
    source: Literal["destination", "catalog"]


async def standing(service: BackupService, places: tuple[Destination, ...]) -> tuple[Standing, ...]:
    """Return how each destination stands."""
    found = await look_at(service.home, service.site, service.engine, places)
    for seen in found:
        service.note(seen)
    return tuple(_standing(service, seen) for seen in found)


async def kept(
    service: BackupService, places: tuple[Destination, ...]
) -> tuple[tuple[Kept, ...], tuple[Seen, ...]]:
    """Return all sets, oldest first, and the destinations that had to be remembered."""
    found = await look_at(service.home, service.site, service.engine, places)
    told: list[Kept] = []
    for seen in found:
        service.note(seen)
        told += _kept(service, seen)
    away = tuple(seen for seen in found if not seen.answers)
    return tuple(sorted(told, key=lambda one: (one.facts.destination, one.facts.label))), away


def _kept(service: BackupService, seen: Seen) -> list[Kept]:
    if seen.answers:
        return [Kept(one, "destination") for one in seen.sets]
    place = seen.destination
    with service.catalog.read() as connection:
        remembered = known_sets(connection, place.name, place.generation)
    return [Kept(one, "catalog") for one in remembered]


def _standing(service: BackupService, seen: Seen) -> Standing:
    place = seen.destination
    sets = [one.facts for one in _kept(service, seen)]
    state, detail = _state(service, seen)
    run = service.journal.last(place)
    return Standing(
        destination=place.name,
        generation=place.generation,
        state=state,
        last_full=max((one.stopped for one in sets if one.type == "full"), default=None),
        last=max((one.stopped for one in sets), default=None),
        sets=len(sets),
        stored=sum(one.repo_size for one in sets),
        wal_from=seen.info.archive[0].min or "" if seen.info.archive else "",
        wal_to=seen.info.archive[-1].max or "" if seen.info.archive else "",
        last_run=run.state if run else "",
        detail=detail,
        hint=seen.problem.hint if seen.problem else "",
    )


def _state(service: BackupService, seen: Seen) -> tuple[State, str]:
    place = seen.destination
    if is_held(service.home, place.name):
        part = progress(service.home.work(place.name), service.site.stanza)
        copied = f", {part:.0%} copied" if part is not None else ""
        return "running", holder(service.home, place.name) + copied
    if seen.problem is not None:
        return "away", str(seen.problem)
    if not seen.sets:
        return "empty", "no backup yet"
    return "ready", f"the key {place.next} is being brought in" if place.next else ""


def age_s(moment_s: float | None, now: datetime) -> float | None:
    """Return how long ago that was."""
    return None if moment_s is None else now.timestamp() - moment_s
