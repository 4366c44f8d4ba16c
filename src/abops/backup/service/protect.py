"""Beginning to protect a database: configurations, stanzas, and what PostgreSQL must be told.

May be run again at any time: what is there stays, what changed is written. A destination that is
dead now stops none of the others.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec

from abops.backup.model import Destination, Home, Site
from abops.backup.postgres.cluster import wanted_settings
from abops.backup.postgres.credentials import credentials_of, make_passphrase
from abops.backup.postgres.engine import engine_of
from abops.backup.postgres.faults import explain
from abops.backup.postgres.site import (
    generations_of,
    prepare_destination,
    save_site,
    with_generations,
    with_shift,
)
from abops.clients.objectstore import open_store
from abops.clients.pgbackrest import Engine
from abops.clients.pgbackrest_answers import Capabilities
from abops.clients.postgres_settings import PostgresSettings
from abops.kernel.errors import OpsError

STANZA_TIMEOUT_S: Final = 90.0


class EngineTooOldError(OpsError):
    """The installed backup engine cannot protect this database."""

    hint = "Install a newer one: abops tools install pgbackrest"


class Begun(msgspec.Struct, frozen=True):
    """How the protection by one destination began."""

    destination: str
    state: Literal["ready", "failed", "mirror"]
    detail: str = ""
    hint: str = ""


class Told(msgspec.Struct, frozen=True):
    """A setting of PostgreSQL: what it must be, what it is."""

    name: str
    wanted: str
    is_now: str
    state: Literal["right", "wrong", "restart"]


async def protect(home: Home, site: Site, *, make_buckets: bool) -> tuple[Begun, ...]:
    """Write everything the home needs and begin at each destination; run as the owner."""
    engine = engine_of(home, site)
    can = await engine.capabilities()
    _check_version(can, site)
    site = with_generations(home, with_shift(home, site))
    for place in site.destinations:
        make_passphrase(home, place)
        credentials_of(home, place)
    save_site(home, site)
    for folder in (home.drills, home.programs):
        folder.mkdir(exist_ok=True)
    return tuple(
        await asyncio.gather(
            *(_begin(home, site, place, engine, can, make_buckets) for place in site.destinations)
        )
    )


async def _begin(  # noqa: PLR0913, PLR0917 - one call, all of it is needed
    home: Home,
    site: Site,
    place: Destination,
    engine: Engine,
    can: Capabilities,
    make_buckets: bool,  # noqa: FBT001 - as above
) -> Begun:
    try:
        if make_buckets:
            store = open_store(place, credentials_of(home, place))
            await store.make_container(lock=bool(place.lock_mode))
            if place.lock_mode and store.bucket is not None:
                await store.bucket.keep_versions()
                await store.bucket.lock(place.lock_mode, place.lock_days)
        if place.role == "mirror":
            return Begun(place.name, "mirror", f"copies {place.of}")
        await make_stanza(home, site, place, engine, can)
        for other in generations_of(home, place):
            # Earlier keys are read with the same credentials, at the same endpoint.
            if home.passphrase(other.name, other.generation).is_file():
                prepare_destination(home, site, other, can)
    except OpsError as error:
        return Begun(place.name, "failed", str(error), error.hint)
    return Begun(place.name, "ready", f"{place.endpoint}, {place.container}{place.folder}")


async def make_stanza(
    home: Home, site: Site, place: Destination, engine: Engine, can: Capabilities
) -> None:
    """Configure the engine for a destination and begin there; again, it changes nothing."""
    config = prepare_destination(home, site, place, can)
    answer = await engine.run(config, site.stanza, "stanza-create", timeout_s=STANZA_TIMEOUT_S)
    if answer.code != 0:
        raise explain(place, "stanza-create", answer)


def _check_version(can: Capabilities, site: Site) -> None:
    if not can.usable:
        raise EngineTooOldError(f"pgBackRest {can.version} is too old")
    version = int((site.cluster.data / "PG_VERSION").read_text().strip())
    if version > can.newest_postgres:
        raise EngineTooOldError(
            f"pgBackRest {can.version} knows PostgreSQL up to {can.newest_postgres}, "
            f"this is {version}"
        )


def settings_of(home: Home, site: Site) -> PostgresSettings:
    """Return the door to the protected server's settings."""
    at = site.cluster
    return PostgresSettings(at.socket, at.port, at.superuser, at.database, home.password_file)


def compare_settings(home: Home, server: PostgresSettings) -> tuple[Told, ...]:
    """Return what PostgreSQL is set to beside what it must be."""
    wanted = wanted_settings(home)
    found = server.read(tuple(wanted))
    return tuple(
        Told(
            name,
            value,
            found[name].value if name in found else "",
            _judge(name, value, found[name].value, found[name].waits_for_restart),
        )
        for name, value in wanted.items()
        if name in found
    )


def change_settings(
    server: PostgresSettings, told: Sequence[Told], wanted: Mapping[str, str]
) -> None:
    """Write the settings that are wrong."""
    server.change({one.name: wanted[one.name] for one in told if one.state == "wrong"})


def _judge(
    name: str,
    wanted: str,
    is_now: str,
    waits: bool,  # noqa: FBT001 - a fact of the server
) -> Literal["right", "wrong", "restart"]:
    # More than replica serves as well.
    right = is_now == wanted or (name == "wal_level" and is_now == "logical")
    if right:
        return "right"
    return "restart" if waits else "wrong"
