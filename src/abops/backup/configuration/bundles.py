"""Bundles in the destinations: sealed, stored in each, read back, listed, fetched, let go of.

Plain text is in memory only. A bundle that could not be read back equal does not count as saved.
Its name holds the hash of the sealed bytes, so that damage is told from a wrong key.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from abops.backup.configuration.archive import Bundle, pack, unpack
from abops.backup.configuration.errors import BundleError, DecryptError
from abops.backup.configuration.sealing import Recipient, seal, unseal
from abops.backup.model import Destination
from abops.clients.objectstore import Store, StoredObject
from abops.kernel.clock import Clock
from abops.kernel.errors import OpsError

FOLDER: Final = "config"
SUFFIX: Final = ".tar.age"
STAMP: Final = "%Y%m%dT%H%M%SZ"
KEEP_DAYS: Final = 30
NAMED_DIGITS: Final = 8


class StoredBundle(msgspec.Struct, frozen=True):
    """A bundle as its destination lists it."""

    destination: str
    name: str
    made: datetime
    size: int


class Saved(msgspec.Struct, frozen=True):
    """How a bundle came to one destination."""

    destination: str
    name: str
    size: int
    sha256: str
    error: str = ""


class Depot(msgspec.Struct, frozen=True):
    """A destination, and the door to it."""

    place: Destination
    store: Store

    @property
    def folder(self) -> str:
        """Where its bundles lie: beside the key generations."""
        return f"{self.place.path.strip('/')}/{FOLDER}"


async def save(
    bundle: Bundle, recipients: tuple[Recipient, ...], depots: tuple[Depot, ...], clock: Clock
) -> tuple[Saved, ...]:
    """Seal a bundle and bring it to every destination; one that fails stops no other."""
    sealed = await asyncio.to_thread(lambda: seal(pack(bundle), recipients))
    digest = hashlib.sha256(sealed).hexdigest()
    name = f"{clock.now().strftime(STAMP)}-{digest[:NAMED_DIGITS]}{SUFFIX}"
    return tuple(
        await asyncio.gather(*(_save(depot, name, sealed, digest, clock) for depot in depots))
    )


async def _save(depot: Depot, name: str, sealed: bytes, digest: str, clock: Clock) -> Saved:
    path = f"{depot.folder}/{name}"
    saved = Saved(depot.place.name, name, len(sealed), digest)
    try:
        await depot.store.put(path, sealed)
        if await depot.store.get(path) != sealed:
            return msgspec.structs.replace(saved, error="it was read back different")
        await let_go(depot, clock)
    except OpsError as error:
        return msgspec.structs.replace(saved, error=str(error))
    return saved


async def listed(depot: Depot) -> tuple[StoredBundle, ...]:
    """Return the bundles of a destination, the newest first."""
    found = (_stored(depot, one) for one in await depot.store.list(depot.folder))
    return tuple(
        sorted((one for one in found if one), key=lambda one: (one.made, one.name), reverse=True)
    )


async def fetch(depot: Depot, secret: str, name: str = "") -> tuple[StoredBundle, Bundle]:
    """Return a bundle, the newest without a name, opened and checked.

    Raises DecryptError for a key that is not its own and for altered bytes: nothing of it is
    given back then.
    """
    there = await listed(depot)
    wanted = [one for one in there if name in {"", one.name}]
    if not wanted:
        what = f"no bundle {name}" if name else "no bundle"
        raise BundleError(f"{depot.place.name} holds {what}")
    one = wanted[0]
    sealed = await depot.store.get(f"{depot.folder}/{one.name}")
    if not _named_for(one.name, sealed):
        raise DecryptError(f"{one.name} in {depot.place.name} was altered or cut")
    plain = await asyncio.to_thread(unseal, sealed, secret)
    return one, unpack(plain)


async def let_go(depot: Depot, clock: Clock) -> tuple[str, ...]:
    """Delete bundles that are too old, never the newest; return their names."""
    names = too_old(await listed(depot), clock.now())
    await depot.store.delete([f"{depot.folder}/{name}" for name in names])
    return names


def too_old(bundles: tuple[StoredBundle, ...], now: datetime) -> tuple[str, ...]:
    """Return the names of what may go; `bundles` are of one destination."""
    newest = max(bundles, key=lambda one: (one.made, one.name), default=None)
    return tuple(
        one.name for one in bundles if one is not newest and (now - one.made).days >= KEEP_DAYS
    )


def newest_by_destination(found: Mapping[str, tuple[StoredBundle, ...]]) -> dict[str, datetime]:
    """Return when the newest bundle of each destination was made."""
    return {name: max(one.made for one in bundles) for name, bundles in found.items() if bundles}


def _named_for(name: str, sealed: bytes) -> bool:
    digest = hashlib.sha256(sealed).hexdigest()
    return name.removesuffix(SUFFIX).rpartition("-")[2] == digest[:NAMED_DIGITS]


def _stored(depot: Depot, one: StoredObject) -> StoredBundle | None:
    name = one.path.rpartition("/")[2]
    stamp = name.partition("-")[0]
    if not name.endswith(SUFFIX):
        return None
    try:
        made = datetime.strptime(stamp, STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None
    return StoredBundle(depot.place.name, name, made, one.size)
