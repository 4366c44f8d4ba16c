"""What the schedule looks at: the catalog's copy of each destination's words, and the live server.

The catalog answers while a destination is away, and asking it costs no destination a question;
before a backup is begun its destination is asked itself.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from abops.backup.model import Destination, Home, SetFacts
from abops.backup.schedule.place import Copying, Place
from abops.backup.service.live import ask_live, owed_to
from abops.backup.service.look import look_at
from abops.backup.service.run import BackupService
from abops.backup.store import schema
from abops.backup.store.checks import checks_of, first_seen
from abops.backup.store.entries import get
from abops.backup.store.records import Check, Drill, MirrorRun, Run
from abops.backup.store.sets import sets
from abops.kernel.clock import moment


class Scene(msgspec.Struct, frozen=True):
    """All that the agenda is made of, at one moment."""

    places: tuple[Place, ...]
    mirrors: tuple[Copying, ...]


class _Memory(msgspec.Struct, frozen=True):
    """What the catalog remembers; from new to old, but for the sets."""

    sets: tuple[SetFacts, ...]
    checks: dict[str, tuple[Check, ...]]
    """By destination."""
    drills: tuple[Drill, ...]
    retained: tuple[Run, ...]
    copied: tuple[MirrorRun, ...]

    def verified(self, name: str) -> float | None:
        """Return when a destination was last found whole."""
        checks = self.checks.get(name, ())
        return next((one.ended for one in checks if one.outcome == "success"), None)


def scene_of(service: BackupService, *, live: bool) -> Scene:
    """Return what is known now, without asking a destination. Who was given up is left out.

    `live` asks the protected server for its timeline, which counts for backups only.
    """
    memory = _remembered(service)
    timeline = ask_live(service.home, service.site).timeline if live else None
    places = tuple(_place(service, one, memory, timeline) for one in service.site.present)
    mirrors = tuple(
        Copying(
            name=one.name,
            source=one.of,
            verified=memory.verified(one.of),
            copied=_last_start(memory.copied, one.name),
        )
        for one in service.site.destinations
        if one.role == "mirror" and not {one.name, one.of} & service.site.away
    )
    return Scene(places, mirrors)


def _remembered(service: BackupService) -> _Memory:
    runs = schema.run.c
    with service.catalog.read() as connection:
        return _Memory(
            sets(connection),
            {place.name: checks_of(connection, place.name) for place in service.site.sources},
            get(connection, Drill, schema.drill.c.outcome == "success", newest="ended"),
            get(connection, Run, runs.kind == "retain", runs.state == "success", newest="started"),
            get(connection, MirrorRun, schema.mirror.c.outcome == "success", newest="started"),
        )


def _place(
    service: BackupService, place: Destination, memory: _Memory, timeline: int | None
) -> Place:
    rehearsed = (one.ended for one in memory.drills if one.destination == place.name)
    return Place(
        name=place.name,
        generation=place.generation,
        sets=tuple(
            one
            for one in memory.sets
            if (one.destination, one.generation) == (place.name, place.generation)
        ),
        invalid=service.journal.broken(place),
        gap_found=gap_found(memory.checks[place.name]),
        timeline=timeline,
        verified=memory.verified(place.name),
        retained=_last_start(memory.retained, place.name),
        rehearsed=next(rehearsed, None),
        owed=len(owed_to(service.home, service.site, place.name)),
    )


def _last_start(runs: Sequence[Run | MirrorRun], name: str) -> float | None:
    return next((one.started for one in runs if one.destination == name), None)


def protected_since(home: Home, place: Place) -> datetime:
    """Return since when a destination gets backups with its present key: when that was made."""
    return moment(home.passphrase(place.name, place.generation).stat().st_mtime)


def gap_found(checks: Sequence[Check]) -> float | None:
    """Return when the holes of the last check, of those from new to old, were first seen.

    None when it saw none. A hole that was seen before the last full set is no news: what matters
    is whether it came up since.
    """
    looked = [one for one in checks if not one.was_away]
    if not looked:
        return None
    first = first_seen(looked)
    return max((first[subject] for subject in looked[0].gaps), default=None)


async def ask_all(service: BackupService, places: Sequence[Destination]) -> None:
    """Have destinations tell what they hold; the catalog keeps what the dead ones told last."""
    for seen in await look_at(service.home, service.site, service.engine, places):
        service.note(seen)
