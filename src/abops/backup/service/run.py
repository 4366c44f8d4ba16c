"""Making backups: one destination after the other, each for itself.

A run is noted before it begins and after it ended, so that a crash leaves a trace. It succeeded
when the destination lists the set it made: the engine's exit code is not trusted alone. A
destination that fails stops none of the others.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Literal

import msgspec

from abops.backup.model import Destination, Home, SetFacts, Site
from abops.backup.postgres.config import backup_flags
from abops.backup.postgres.engine import engine_of
from abops.backup.postgres.facts import RUN_ANNOTATION
from abops.backup.postgres.faults import DestinationError, explain
from abops.backup.schedule.need import automatic
from abops.backup.schedule.place import Place
from abops.backup.service.journal import Journal
from abops.backup.service.lock import hold, progress
from abops.backup.service.look import Seen, look
from abops.backup.store.database import Catalog
from abops.backup.store.records import Run
from abops.backup.store.sets import note_sets
from abops.kernel.clock import Clock, SystemClock
from abops.kernel.errors import OpsError

BACKUP_TIMEOUT_S: Final = 6 * 3_600.0
_LOOK_EVERY_S: Final = 0.5
Wanted = Literal["auto", "full", "incr"]
Progress = Callable[[str, float], None]
"""Is told a destination's name and which part is copied."""


class SetMissingError(DestinationError):
    """The engine says that it made a backup, and the destination does not list it."""

    hint = "Look at it before it is believed: abops backup verify."


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """How a backup of one destination ended."""

    destination: str
    type: str
    outcome: Literal["success", "failed"]
    label: str = ""
    seconds: float = 0.0
    size: int = 0
    stored: int = 0
    reason: str = ""
    """Why this kind."""
    error: str = ""
    hint: str = ""


class BackupService:
    """Makes backups of what one home protects; runs as the owner of its files."""

    def __init__(self, home: Home, site: Site, *, clock: Clock | None = None) -> None:
        self.home = home
        self.site = site
        self.engine = engine_of(home, site)
        self.catalog = Catalog(home.catalog)
        self._clock = clock or SystemClock()
        self.journal = Journal(self.catalog, self._clock)

    async def run(
        self,
        place: Destination,
        wanted: Wanted,
        *,
        planned: Run | None = None,
        told: Progress | None = None,
    ) -> Made:
        """Make one backup. `planned` is the scheduler's run; without it, it is ordered now.

        Raises RunHeldError when somebody else is at it; every other failure is in the answer.
        """
        with hold(self.home, place.name, f"a backup ({wanted})"):
            self.journal.close_cut_off(place)
            began = self._clock.monotonic()
            seen = await look(self.home, self.site, self.engine, place)
            kind, reason = self._kind(wanted, seen)
            try:
                with self.journal.run(place, kind, reason, planned) as entry:
                    one = await self._copy(seen, entry.run, told)
                    entry.label = one.label
            except OpsError as error:
                return Made(
                    destination=place.name,
                    type=kind,
                    outcome="failed",
                    seconds=self._clock.monotonic() - began,
                    reason=reason,
                    error=str(error),
                    hint=error.hint,
                )
            return Made(
                destination=place.name,
                type=one.type,
                outcome="success",
                label=one.label,
                seconds=self._clock.monotonic() - began,
                size=one.size,
                stored=one.repo_size,
                reason=reason,
            )

    def note(self, seen: Seen, *, expired: tuple[str, ...] = ()) -> None:
        """Keep what a destination told, so that it can be asked while the destination is away."""
        if not seen.answers:
            return
        at = seen.destination
        with self.catalog.write() as connection:
            note_sets(connection, at.name, at.generation, seen.sets, expired=expired)
        self.journal.adopt(seen.sets)

    async def _copy(self, seen: Seen, run: Run, told: Progress | None) -> SetFacts:
        place = seen.destination
        if seen.problem is not None:
            raise seen.problem
        flags = backup_flags(await self.engine.capabilities())
        watching = asyncio.create_task(self._watch(place, told)) if told else None
        try:
            answer = await self.engine.run(
                self.home.engine(place.name, place.generation),
                self.site.stanza,
                "backup",
                f"--type={run.kind}",
                f"--annotation={RUN_ANNOTATION}={run.id}",
                *flags,
                timeout_s=BACKUP_TIMEOUT_S,
            )
        finally:
            if watching is not None:
                watching.cancel()
                with suppress(asyncio.CancelledError):
                    await watching
        if answer.code != 0:
            raise explain(place, "backup", answer)
        return await self._listed(place, run)

    async def _listed(self, place: Destination, run: Run) -> SetFacts:
        seen = await look(self.home, self.site, self.engine, place)
        if seen.problem is not None:
            raise seen.problem
        self.note(seen)
        made = [one for one in seen.sets if one.run == run.id]
        if not made:
            raise SetMissingError(f"{place.name}: the set of {run.id} is not listed")
        return made[-1]

    async def _watch(self, place: Destination, told: Progress) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            part = progress(self.home.work(place.name), self.site.stanza)
            if part is not None:
                told(place.name, part)

    def _kind(self, wanted: Wanted, seen: Seen) -> tuple[str, str]:
        if wanted != "auto":
            return wanted, "asked for"
        place = seen.destination
        if not seen.answers:
            return "incr", "it is not known what is there"
        known = Place(
            name=place.name,
            generation=place.generation,
            sets=seen.sets,
            invalid=self.journal.broken(place),
        )
        return automatic(self._clock.now(), known)
