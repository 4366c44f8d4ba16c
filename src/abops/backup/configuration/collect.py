"""What a bundle holds: everything that cannot be had again once the machine is gone.

The database itself comes from its backups; the way to them (destinations with passphrases) is
here, and what stands around it: roles, settings, certificates, code, objects of a cluster.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from abops.backup.configuration.archive import Bundle
from abops.backup.configuration.errors import CollectError
from abops.backup.configuration.manifests import Manifest, kept
from abops.backup.model import Home, Site
from abops.clients.git import mirror_stream
from abops.clients.postgres_globals import dump_globals
from abops.clients.postgres_session import PostgresSession, SocketAddress

HOME, CERTIFICATES, POSTGRES = "home", "certificates", "postgres"
GIT, KUBERNETES, RENDERED, INVENTORY = "git", "kubernetes", "rendered", "platform.yaml"
SETTINGS_FILES: Final = (
    "SELECT setting FROM pg_settings WHERE name IN ('config_file', 'hba_file', 'ident_file')"
    " UNION SELECT sourcefile FROM pg_settings WHERE sourcefile IS NOT NULL"
)


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    """Where a bundle's parts come from, beside the home."""

    inventory: Path | None = None
    rendered: tuple[Path, ...] = ()
    """Folders with rendered files."""
    repositories: tuple[Path, ...] = ()
    objects: tuple[Manifest, ...] = ()
    """Of a cluster, as its server answers them."""


async def around(sources: Sources) -> dict[str, bytes]:
    """Return the parts that are not the home's: read by whoever may read them, before all else."""
    members: dict[str, bytes] = {}
    if sources.inventory is not None:
        members[INVENTORY] = _read(sources.inventory)
    for folder in sources.rendered:
        members.update(_below(folder, f"{RENDERED}/{folder.name}"))
    for repository in sources.repositories:
        members[f"{GIT}/{repository.resolve().name}.bundle"] = await mirror_stream(repository)
    return members | object_members(sources.objects)


def object_members(objects: Iterable[Manifest]) -> dict[str, bytes]:
    """Return the part of a bundle that is a cluster's objects, as its server answers them."""
    return {
        path: msgspec.json.format(msgspec.json.encode(manifest, order="sorted"))
        for path, manifest in kept(objects).items()
    }


async def collect(home: Home, site: Site, others: Mapping[str, bytes]) -> Bundle:
    """Return the bundle of a home. Raises an error rather than leaving something out."""
    members = {**_home(home), **_certificates(site), **await _postgres(home, site), **others}
    return Bundle(members, origin_of(home, site))


def home_members(home: Home) -> dict[str, bytes]:
    """Return the part of a bundle that is the home, as it is now; empty without one."""
    return _home(home) if home.site.is_file() else {}


def origin_of(home: Home, site: Site) -> dict[str, str]:
    """Return the paths that the home's files name, by where they stand in the bundle."""
    named = {f"{CERTIFICATES}/{p.name}.crt": p.ca_file for p in site.destinations if p.ca_file}
    return {HOME: str(home.folder), **named}


def _home(home: Home) -> dict[str, bytes]:
    files = [home.site, *([home.recipients] if home.recipients.is_file() else [])]
    files += sorted(home.folder.glob("*.conf"))
    own = {f"{HOME}/{path.name}": _read(path) for path in files}
    return own | _below(home.secrets, f"{HOME}/{home.secrets.name}")


def _certificates(site: Site) -> dict[str, bytes]:
    return {
        f"{CERTIFICATES}/{place.name}.crt": _read(Path(place.ca_file))
        for place in site.destinations
        if place.ca_file
    }


async def _postgres(home: Home, site: Site) -> Mapping[str, bytes]:
    cluster = site.cluster
    address = SocketAddress(
        folder=cluster.socket,
        port=cluster.port,
        user=cluster.superuser,
        password_file=home.password_file,
    )
    members = {
        f"{POSTGRES}/globals.sql": await dump_globals(cluster.programs / "pg_dumpall", address)
    }
    with PostgresSession(address, cluster.database) as session:
        paths = [Path(row[0]) for row in session.rows(SETTINGS_FILES)]
    for path in sorted(paths):
        members[f"{POSTGRES}/{path.name}"] = _read(path)
    return members


def _below(folder: Path, name: str) -> dict[str, bytes]:
    return {
        f"{name}/{path.relative_to(folder).as_posix()}": _read(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and not path.name.startswith(".")
    }


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CollectError(f"{path}: {error.strerror}") from error
