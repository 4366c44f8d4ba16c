"""Bundles of configuration as commands need them: saved, listed, compared, brought back."""

import asyncio
import secrets
from collections.abc import Mapping
from pathlib import Path

from abops.backup.configuration.archive import Bundle, hashes
from abops.backup.configuration.bring_back import LEFTOVERS, bring_back, home_files, lay_beside
from abops.backup.configuration.bundles import (
    Depot,
    Saved,
    StoredBundle,
    fetch,
    listed,
    save,
)
from abops.backup.configuration.collect import HOME, collect
from abops.backup.configuration.compare import Difference, differences
from abops.backup.configuration.errors import BundleError
from abops.backup.configuration.sealing import (
    Recipient,
    add_recipient,
    load_recipients,
    machine_key,
    new_key,
    public_part,
)
from abops.backup.model import Destination, Home, Site
from abops.backup.postgres.credentials import credentials_of, read_credentials
from abops.backup.postgres.site import load_site
from abops.backup.store import records
from abops.backup.store.database import Catalog
from abops.backup.store.entries import put
from abops.clients.object_errors import ObjectStoreError
from abops.clients.objectstore import open_store
from abops.kernel.clock import Clock
from abops.kernel.errors import UsageError


class ConfigurationService:
    """The bundles of one home."""

    def __init__(self, home: Home, site: Site, clock: Clock) -> None:
        self.home = home
        self.site = site
        self._clock = clock

    @classmethod
    def of(cls, home: Home, clock: Clock) -> "ConfigurationService":
        """Return the service of a home that is there. Raises NotProtectedError."""
        return cls(home, load_site(home), clock)

    async def save(self, others: Mapping[str, bytes]) -> tuple[Saved, ...]:
        """Collect, seal, bring to every destination, note it in the catalog."""
        machine_key(self.home)
        bundle = await collect(self.home, self.site, others)
        depots = tuple(one for one in self._depots() if one.place.name not in self.site.away)
        saved = await save(bundle, load_recipients(self.home), depots, self._clock)
        self._note(saved)
        return saved

    async def listed(self) -> dict[str, tuple[StoredBundle, ...]]:
        """Return the bundles of every destination that answers. Raises the first one's error."""
        depots = self._depots()
        found = await asyncio.gather(*(listed(depot) for depot in depots), return_exceptions=True)
        good = {
            depot.place.name: one
            for depot, one in zip(depots, found, strict=True)
            if not isinstance(one, BaseException)
        }
        if not good:
            raise next(one for one in found if isinstance(one, BaseException))
        return good

    async def fetch(
        self, secret: str = "", *, destination: str = "", name: str = ""
    ) -> tuple[StoredBundle, Bundle]:
        """Return a bundle, opened by this machine's key unless another is given.

        Without a destination each is asked in turn: what one has lost or spoiled, the next has.
        """
        depots = self._depots(destination)
        key = secret or machine_key(self.home)
        for depot in depots[:-1]:
            try:
                return await fetch(depot, key, name)
            except (ObjectStoreError, BundleError):
                continue
        return await fetch(depots[-1], key, name)

    async def differences(
        self, bundle: Bundle, others: Mapping[str, bytes]
    ) -> tuple[Difference, ...]:
        """Return what changed here since the bundle was made."""
        now = await collect(self.home, self.site, others)
        return differences(bundle.members, now.members, secrets.token_bytes(16))

    def _depots(self, name: str = "") -> tuple[Depot, ...]:
        places = [one for one in self.site.ordered if name in {"", one.name}]
        if not places:
            known = ", ".join(one.name for one in self.site.destinations)
            raise UsageError(f"no destination is called {name}", hint=f"There are: {known}")
        return tuple(
            Depot(one, open_store(one, credentials_of(self.home, one), clock=self._clock))
            for one in places
        )

    def _note(self, saved: tuple[Saved, ...]) -> None:
        catalog = Catalog(self.home.catalog)
        try:
            with catalog.write() as connection:
                put(
                    connection,
                    *(
                        records.Bundle(
                            destination=one.destination,
                            name=one.name,
                            made=self._clock.now().timestamp(),
                            size=one.size,
                            sha256=one.sha256,
                            state="failed" if one.error else "stored",
                            error=one.error,
                        )
                        for one in saved
                    ),
                )
        finally:
            catalog.close()


def plan_restore(bundle: Bundle, home: Home, *, bootstrap: bool) -> tuple[Difference, ...]:
    """Return what a restore would change in a home, without changing anything."""
    wanted = home_files(bundle, home, bootstrap=bootstrap)
    there = {
        name: (home.folder / name).read_bytes() for name in wanted if (home.folder / name).is_file()
    }
    return differences(there, wanted, secrets.token_bytes(16))


def restore(
    bundle: Bundle, name: str, home: Home, *, bootstrap: bool
) -> tuple[tuple[Path, ...], Path]:
    """Write the home, lay the rest beside it; return what was written and where the rest is."""
    written = bring_back(bundle, home, bootstrap=bootstrap)
    beside = home.folder / LEFTOVERS / name.split(".", 1)[0]
    lay_beside(bundle, beside)
    return written, beside


def summary(bundle: Bundle) -> list[dict[str, object]]:
    """Return what may be shown of a bundle: names, sizes, hashes of what is no secret."""
    found = hashes(bundle)
    return [
        {
            "member": name,
            "bytes": len(content),
            # A short secret could be found from its hash.
            "sha256": "" if name.startswith(f"{HOME}/secrets/") else found[name][:12],
        }
        for name, content in sorted(bundle.members.items())
    ]


def begin_recovery_key() -> tuple[str, str]:
    """Return a new offline recovery key: the secret part, to be shown once, and the public one."""
    return new_key()


def has_recovery_key(home: Home) -> bool:
    """Tell whether the home's offline recovery key is named."""
    return any(one.holder == "offline" for one in load_recipients(home))


def name_recovery_key(home: Home, public: str) -> None:
    """Make a public key the home's offline recovery key, and have one of the machine's own."""
    machine_key(home)
    add_recipient(home, Recipient("offline", public))


def is_same_key(secret: str, public: str) -> bool:
    """Tell whether what was typed back is the key. Raises KeyFileError for what is none."""
    return public_part(secret) == public


async def fetch_from(
    place: Destination, keys: Path, secret: str, name: str, clock: Clock
) -> tuple[StoredBundle, Bundle]:
    """Return a bundle of a destination with nothing but its keys: for an empty machine."""
    store = open_store(place, read_credentials(keys, place), clock=clock)
    return await fetch(Depot(place, store), secret, name)
