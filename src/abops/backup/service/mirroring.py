"""Mirrors of a home brought up to date, noted in the catalog, and readable by the engine."""

import msgspec

from abops.backup.mirror import Mirror, Mirrored, MirrorHeldError
from abops.backup.model import Destination, Home, Site
from abops.backup.postgres.credentials import credentials_of, passphrase_of
from abops.backup.postgres.engine import engine_of
from abops.backup.postgres.site import prepare_destination
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
        """Bring one mirror up to date; it holds the source's generation, under its passphrase."""
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
            seen = await look(self.home, self.site, self._engine, source)
            if seen.problem is not None:
                raise seen.problem
            labels = frozenset(one.label for one in seen.sets)
            mirror = Mirror(
                open_store(source, credentials_of(self.home, source), clock=self._clock),
                open_store(place, credentials_of(self.home, place), clock=self._clock),
                source.folder,
                self._clock,
            )
            done = await mirror.run(labels, self._verified(source))
            await self._make_readable(place, source)
        except OpsError as error:
            self._write(place, began, "", Mirrored(0, 0, 0, 0), str(error))
            raise
        self._write(place, began, max(labels), done, "")
        return done

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
