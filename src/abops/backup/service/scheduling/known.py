"""What the schedule looks at: the catalog's copy of each destination's words, and the live server.

The catalog answers while a destination is away, and asking it costs no destination a question;
before a backup is begun its destination is asked itself.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from abops.backup.model import Destination, Home
from abops.backup.schedule.place import Copying, Place
from abops.backup.service.live import ask_live, owed_to
from abops.backup.service.look import look_at
from abops.backup.service.run import BackupService
from abops.backup.store import schema
from abops.backup.store.entries import get
from abops.backup.store.records import Check, Drill, MirrorRun, Run
from abops.backup.store.sets import sets
from abops.kernel.clock import moment

_CHECKS_REMEMBERED = 400
"""As many as the verification asks when a hole was first seen."""


class Scene(msgspec.Struct, frozen=True):
    """All that the agenda is made of, at one moment."""

    places: tuple[Place, ...]
    mirrors: tuple[Copying, ...]


def scene_of(service: BackupService) -> Scene:
    """Return what is known now, without asking a destination."""
    site = service.site
    timeline = ask_live(service.home, site).timeline
    places, verified = [], {}
    with service.catalog.read() as connection:
        good = get(connection, Drill, schema.drill.c.outcome == "success")
        rehearsed = {one.destination: one.ended for one in sorted(good, key=lambda one: one.ended)}
        for place in site.sources:
            mine = schema.check.c.destination == place.name
            checks = get(connection, Check, mine, newest="ended", limit=_CHECKS_REMEMBERED)
            passed = [one.ended for one in checks if one.outcome == "success"]
            verified[place.name] = max(passed, default=None)
            places.append(
                Place(
                    name=place.name,
                    generation=place.generation,
                    sets=sets(connection, place.name, place.generation),
                    gap_found=gap_found(checks),
                    verified=verified[place.name],
                    rehearsed=rehearsed.get(place.name),
                    retained=max(
                        (one.started for one in done if one.destination == place.name),
                        default=None,
                    ),
                    timeline=timeline,
                )
            )
        done = get(connection, Run, schema.run.c.kind == "retain", schema.run.c.state == "success")
        copied = get(connection, MirrorRun, schema.mirror.c.outcome == "success")
    whole = tuple(
        msgspec.structs.replace(
            known,
            invalid=service.journal.broken(place),
            owed=len(owed_to(service.home, site, place.name)),
        )
        for known, place in zip(places, site.sources, strict=True)
    )
    mirrors = tuple(
        Copying(
            name=one.name,
            source=one.of,
            verified=verified.get(one.of),
            copied=max(
                (run.started for run in copied if run.destination == one.name), default=None
            ),
        )
        for one in site.destinations
        if one.role == "mirror"
    )
    return Scene(whole, mirrors)


def protected_since(home: Home, place: Place) -> datetime:
    """Return since when a destination gets backups with its present key: when that was made."""
    return moment(home.passphrase(place.name, place.generation).stat().st_mtime)


def gap_found(checks: Sequence[Check]) -> float | None:
    """Return when the holes of the last check, of those from new to old, were first seen.

    None when it saw none. A hole that was seen before the last full set is no news: what matters
    is whether it came up since.
    """
    looked = [one for one in checks if not unreachable(one)]
    if not looked:
        return None
    first: dict[str, float] = {}
    for check in looked:
        first |= dict.fromkeys(_gaps(check), check.ended)
    return max((first[subject] for subject in _gaps(looked[0])), default=None)


def unreachable(check: Check) -> bool:
    """Tell whether a check could not look at all."""
    return any(one.code == "unreachable" for one in check.findings)


def _gaps(check: Check) -> list[str]:
    return [one.subject for one in check.findings if one.code == "gap"]


async def ask_all(service: BackupService, places: Sequence[Destination]) -> None:
    """Have destinations tell what they hold; the catalog keeps what the dead ones told last."""
    for seen in await look_at(service.home, service.site, service.engine, places):
        service.note(seen)
