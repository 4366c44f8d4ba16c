"""A new key for a destination: another repository beside the old one, and the old one ends by age.

Nothing that is stored is encrypted anew. The new key is saved in the bundles of configuration
before anything depends on it; the log goes to both repositories from then on; only when a full set
in the new one was made, verified and restored does the old one leave the way of the log. It stays
readable: a point of its time is restored from it until its retention is over.

What is cut off goes on where it was: the site says that a rotation is under way.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from abops.backup.drill.run import drill
from abops.backup.model import Destination, Home, Site
from abops.backup.postgres.credentials import make_passphrase
from abops.backup.postgres.engine import engine_of
from abops.backup.postgres.site import generations_of, number_of, save_site
from abops.backup.service.configuration import ConfigurationService, has_recovery_key
from abops.backup.service.journal import Journal
from abops.backup.service.live import owed_to
from abops.backup.service.look import look
from abops.backup.service.protect import make_stanza
from abops.backup.service.run import BackupService
from abops.backup.service.verifying import Verification, kept_facts
from abops.backup.store.database import Catalog
from abops.backup.store.entries import put
from abops.backup.store.records import Key
from abops.backup.wal.asking import ask_reload, ask_status
from abops.kernel.clock import Clock
from abops.kernel.errors import OpsError

_AGAIN: Final = "Say it again: it goes on where it was. --abandon gives the new key up."


class RotationRefusedError(OpsError):
    """The key cannot be changed now."""


class RotationStuckError(OpsError):
    """The new key is not proven; the log goes to both, backups are made with the old one."""

    hint = _AGAIN


class Step(Struct, frozen=True, kw_only=True):
    """One step of a rotation that is done."""

    step: str
    seconds: float
    detail: str


class Rotation:
    """Changes the key of one destination; runs as the owner of the home's files."""

    def __init__(
        self,
        home: Home,
        site: Site,
        clock: Clock,
        others: Mapping[str, bytes],
        told: Callable[[Step], None] = lambda _step: None,
    ) -> None:
        """`others` is what goes into a bundle beside the home; `told` hears of each step."""
        self._home, self._site, self._clock = home, site, clock
        self._others, self._told = others, told
        self._catalog = Catalog(home.catalog)

    async def run(self, place: Destination, *, hurry: bool = False) -> tuple[Destination, ...]:
        """Go all the way; return the destination with the old key and with the new one."""
        await self._refuse(place)
        reason = f"a new key after {place.generation}"
        with Journal(self._catalog, self._clock).run(place, "rotate", reason):
            new = await self._begin(place)
            with self._step("full") as say:
                say(await self._full(new, resumed=bool(place.next)))
            with self._step("verify") as say:
                say(await self._verify(new))
            with self._step("drill") as say:
                say(await self._drill(new, hurry=hurry))
            with self._step("switch") as say:
                await self._switch(place, new)
                say(f"the log goes to {new.generation} only; {place.generation} is read-only")
            with self._step("bundle") as say:
                say(await self._save())
        return place, new

    async def abandon(self, place: Destination) -> None:
        """Give a rotation up: the new repository is asked for nothing any more."""
        if not place.next:
            raise RotationRefusedError(f"{place.name}: no new key is being brought in", hint="")
        self._change(place, replace(place, next=""))
        self._home.engine(place.name, place.next).unlink(missing_ok=True)
        await asyncio.to_thread(ask_reload, self._home)

    async def _refuse(self, place: Destination) -> None:
        if place.name in self._site.away:
            hint = f"First abops backup failback {place.name}."
            raise RotationRefusedError(f"{place.name} is away", hint=hint)
        if not has_recovery_key(self._home):
            raise RotationRefusedError(
                "no offline recovery key is named: a new passphrase would be on this machine only",
                hint="abops backup config init-key",
            )
        # Without it nobody would bring the log to the new repository.
        await asyncio.to_thread(ask_status, self._home)
        seen = await look(self._home, self._site, engine_of(self._home, self._site), place)
        if seen.problem is not None:
            raise seen.problem

    async def _begin(self, place: Destination) -> Destination:
        """Make key and repository, save both, and have the log go there too."""
        new = replace(place, generation=place.next or _next_of(self._home, place), next="")
        engine = engine_of(self._home, self._site)
        with self._step("key") as say:
            make_passphrase(self._home, new)
            await make_stanza(self._home, self._site, new, engine, await engine.capabilities())
            say(f"{new.generation}, in {new.folder}")
        with self._step("bundle") as say:
            say(await self._save())
        with self._step("log") as say:
            self._change(place, replace(place, next=new.generation))
            await asyncio.to_thread(ask_reload, self._home)
            say(f"it goes to {place.generation} and {new.generation}")
        return new

    async def _full(self, new: Destination, *, resumed: bool) -> str:
        known, verified, _ = kept_facts(self._catalog, new, self._clock.now().timestamp())
        done = [one.label for one in known if one.type == "full" and one.label in verified]
        if done and resumed:
            return f"{done[-1]} is there already"
        made = await BackupService(self._home, self._site, clock=self._clock).run(new, "full")
        if made.outcome == "failed":
            raise RotationStuckError(made.error, hint=f"{made.hint} {_AGAIN}")
        return made.label

    async def _verify(self, new: Destination) -> str:
        verification = Verification(self._home, self._site, clock=self._clock)
        (check,) = await verification.verify([new])
        # What is wrong with the old one is a reason more to have the new one.
        wrong = [
            one.message
            for one in check.findings
            if one.severity == "critical" and one.generation == new.generation
        ]
        if wrong:
            raise RotationStuckError(f"{new.name}, {new.generation}: {wrong[0]}")
        return "everything is whole"

    async def _drill(self, new: Destination, *, hurry: bool) -> str:
        found = await drill(self._home, self._site, new.name, "latest", self._clock, hurry=hurry)
        if found.outcome == "failed" or found.generation != new.generation:
            told = found.error or f"it came from {found.generation}"
            raise RotationStuckError(f"the restore from {new.generation}: {told}")
        return f"{found.id}: {found.tables} tables are equal, {found.rto_s:.1f} s"

    async def _switch(self, place: Destination, new: Destination) -> None:
        if owed := owed_to(self._home, self._site, place.name):
            # They would go to the new one only, and leave a hole at the old one's end.
            raise RotationStuckError(f"{len(owed)} segments of log are still owed to {place.name}")
        self._change(place, new)
        await asyncio.to_thread(ask_reload, self._home)
        now = self._clock.now().timestamp()
        with self._catalog.write() as connection:
            put(
                connection,
                Key(
                    destination=place.name,
                    generation=place.generation,
                    made=self._made(place),
                    retired=now,
                ),
                Key(destination=new.name, generation=new.generation, made=self._made(new)),
            )

    def _made(self, place: Destination) -> float:
        return self._home.passphrase(place.name, place.generation).stat().st_mtime

    async def _save(self) -> str:
        """Save a bundle; one destination at least must have it. Raises RotationStuckError."""
        saved = await ConfigurationService(self._home, self._site, self._clock).save(self._others)
        good = [one.destination for one in saved if not one.error]
        if not good:
            raise RotationStuckError("; ".join(f"{one.destination}: {one.error}" for one in saved))
        return f"{saved[0].name} in {', '.join(good)}"

    def _change(self, old: Destination, new: Destination) -> None:
        places = tuple(new if one.name == old.name else one for one in self._site.destinations)
        self._site = replace(self._site, destinations=places)
        save_site(self._home, self._site)

    @contextmanager
    def _step(self, name: str) -> Iterator[Callable[[str], None]]:
        began = self._clock.monotonic()
        said: list[str] = []
        yield said.append
        took = self._clock.monotonic() - began
        self._told(Step(step=name, seconds=took, detail="; ".join(said)))


def _next_of(home: Home, place: Destination) -> str:
    """Return the generation after the present one; one that was begun and cut off is taken up."""
    present = number_of(place.generation)
    begun = max((number_of(one.generation) for one in generations_of(home, place)), default=0)
    return f"g{begun if begun > present else present + 1}"
