"""Mirrors of a home brought up to date, noted in the catalog, and readable by the engine."""

import msgspec

from abops.backup.mirror import Mirror, Mirrored, MirrorHeldError
from abops.backup.model import Destination, Home, Site
from abops.backup.postgres.credentials import credentials_of, passphrase_of
from abops.backup.postgres.engine import engine_of
from abops.backup.postgres.site import generations_of, number_of, prepare_destination
from abops.backup.service.look import look
from abops.backup.store import schema
from abops.backup.store.database import Catalog
from abops.backup.store.entries import get, of, put
from abops.backup.store.records import MirrorRun, Verdict
from abops.clients.objectstore import open_store
from abops.kernel.clock import Clock
from abops.kernel.errors import OpsError, UsageError
from abops.kernel.files import write_atomic


class MirrorService:
    """The mirrors of one home."""

    def __init__(self, home: Home, site: Site, clock: Clock) -> None:
        self.home = home
        self.site = site
        self._clock = clock
        self._engine = engine_of(home, site)

    def chosen(self, names: tuple[str, ...]) -> tuple[Destination, ...]:
        """Return the named mirrors, or all. Raises UsageError."""
        known = {one.name: one for one in self.site.destinations if one.role == "mirror"}
        unknown = [name for name in names if name not in known]
        if unknown or not known:
            raise UsageError(
                f"no mirror is called {', '.join(unknown)}" if unknown else "there is no mirror",
                hint=f"There are: {', '.join(known) or 'none; see backup.destinations'}",
            )
        return tuple(known[name] for name in names) or tuple(known.values())

    async def run(self, place: Destination) -> Mirrored:
        """Bring one mirror up to date; it holds what its source does, under the same passphrases.

        That is every key generation of the source. One that the source gave up by its retention
        goes from the mirror a week later, where objects are not locked.
        """
        if place.of in self.site.away:
            raise MirrorHeldError(
                f"{place.of} is away: the mirror keeps what it has",
                hint=f"It goes on after `abops backup failback {place.of}`.",
            )
        source = next(one for one in self.site.destinations if one.name == place.of)
        place = msgspec.structs.replace(place, generation=source.generation, path=source.path)
        began = self._clock.now().timestamp()
        labels: frozenset[str] = frozenset()
        try:
            kept = [
                one for one in generations_of(self.home, source) if one.generation != source.next
            ]
            found = []
            for one in kept:
                labels, copied = await self._copy(place, one)
                found.append(copied)
            done = Mirrored(*map(sum, zip(*map(msgspec.structs.astuple, found), strict=True)))
            if not place.lock_mode:
                await self._fade(place, frozenset(one.generation for one in kept))
        except OpsError as error:
            self._write(place, began, "", Mirrored(0, 0, 0, 0), str(error))
            raise
        self._write(place, began, max(labels), done, "")
        return done

    async def _copy(
        self, place: Destination, source: Destination
    ) -> tuple[frozenset[str], Mirrored]:
        """Copy one key generation; return its sets and what was done."""
        seen = await look(self.home, self.site, self._engine, source)
        if seen.problem is not None:
            raise seen.problem
        labels = frozenset(one.label for one in seen.sets)
        own = msgspec.structs.replace(place, generation=source.generation)
        copied = await self._mirror(source, own).run(labels, self._verified(source))
        await self._make_readable(own, source)
        return labels, copied

    async def _fade(self, place: Destination, kept: frozenset[str]) -> None:
        """Let go of what the source has given up, key generation by key generation."""
        for old in generations_of(self.home, place):
            if number_of(old.generation) >= number_of(place.generation) or old.generation in kept:
                continue
            if not await self._mirror(old, old).fade():
                self.home.engine(old.name, old.generation).unlink(missing_ok=True)

    def _mirror(self, source: Destination, place: Destination) -> Mirror:
        return Mirror(
            open_store(source, credentials_of(self.home, source), clock=self._clock),
            open_store(place, credentials_of(self.home, place), clock=self._clock),
            source.folder,
            self._clock,
        )

    async def _make_readable(self, place: Destination, source: Destination) -> None:
        """Give the engine a configuration of the mirror, so that it restores from there."""
        path = self.home.passphrase(place.name, place.generation)
        write_atomic(path, passphrase_of(self.home, source) + "\n", mode=0o600)
        can = await self._engine.capabilities()
        prepare_destination(self.home, self.site, place, can)

    def _verified(self, source: Destination) -> frozenset[str]:
        with Catalog(self.home.catalog).read() as connection:
            told = get(
                connection,
                Verdict,
                *of(Verdict, source),
                schema.verdict.c.valid.is_(True),
            )
        return frozenset(one.label for one in told)

    def _write(
        self, place: Destination, began: float, label: str, done: Mirrored, error: str
    ) -> None:
        run = MirrorRun(
            id=f"{place.name}-{began:.0f}",
            destination=place.name,
            source=place.of,
            started=began,
            ended=self._clock.now().timestamp(),
            outcome="failed" if error else "success",
            label=label,
            objects=done.objects,
            bytes=done.bytes,
            error=error,
        )
        with Catalog(self.home.catalog).write() as connection:
            put(connection, run)
