"""Bring a home back from a bundle: here, or on an empty machine."""

import asyncio
import os
import pwd
from pathlib import Path
from typing import TYPE_CHECKING

import click

from abops.entry.cli.backup.cluster import (
    DIFFERENCES,
    Access,
    bring_to_cluster,
    cluster_options,
)
from abops.entry.cli.backup.home import become, home_option, open_home, place_of
from abops.entry.cli.output import output_option, show
from abops.kernel.errors import UsageError

if TYPE_CHECKING:
    from abops.backup.configuration.archive import Bundle
    from abops.backup.model import Destination, Home

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("restore")
@home_option
@click.option("--identity", type=_FILE, required=True, help="Key file: the offline recovery key.")
@click.option("--from", "destination", default="", metavar="DEST", help="From this destination.")
@click.option("--bundle", "name", default="", help="This bundle instead of the newest.")
@click.option("--dry-run", is_flag=True, help="Show what would change: keys and hashes.")
@click.option("--bootstrap", is_flag=True, help="Make a home where there is none.")
@click.option("--credentials", type=_FILE, help="Without a home: JSON with a destination's keys.")
@click.option(
    "--place",
    type=_FILE,
    help="Without a home: JSON of the destination, where the inventory does not tell it as it is.",
)
@click.option("--inventory", type=_FILE, default=Path("platform.yaml"), show_default=True)
@click.option("--owner", default="", help="Bootstrap: user of the database.  [as it was]")
@cluster_options
@output_option
def restore(  # noqa: PLR0913 - two ways of one thing
    *,
    folder: Path | None,
    identity: Path,
    destination: str,
    name: str,
    dry_run: bool,
    bootstrap: bool,
    credentials: Path | None,
    place: Path | None,
    inventory: Path,
    owner: str,
    kubeconfig: Path | None,
    namespaces: tuple[str, ...],
    output: str,
) -> None:
    """Bring back the home from a bundle, or with --kubeconfig a cluster's objects.

    A wrong key or an altered bundle applies nothing. --bootstrap needs the keys of one
    destination and the recovery key, and makes a home from which `abops backup restore` works.
    What is not the home (inventory, roles, code, objects of a cluster) is laid beside it, in its
    folder `recovered`.

    With --kubeconfig the home stays as it is. The server judges every object before it takes the
    first; what the bundle does not know stays. It may be run again. With --credentials it needs
    no home.
    """
    from abops.backup.configuration.sealing import read_key

    secret = read_key(identity)
    access = Access.of(kubeconfig, namespaces)
    if access and bootstrap:
        raise UsageError("--bootstrap and --kubeconfig are two runs: first the home")
    if bootstrap and credentials is None:
        raise UsageError("--bootstrap needs --credentials")
    if credentials is not None and (access or bootstrap):
        at = _place(place, inventory, destination)
        made, bundle = asyncio.run(_fetch(at, credentials, secret, name))
    else:
        # For a cluster the home is only read, and who may use the one may not own the other.
        read = _home_as_it_is(folder) if access else open_home(folder)
        made, bundle = _from_home(read, secret, destination, name)
    if access:
        bring_to_cluster(bundle, made, access, dry_run=dry_run, output=output)
        return
    home = _new_home(folder) if bootstrap else open_home(folder)
    from abops.backup.service.configuration import restore as bring

    if dry_run:
        _show_plan(bundle, home, output, bootstrap=bootstrap)
        return
    uid = _owner(bundle, owner) if bootstrap else 0
    written, beside = bring(bundle, made, home, bootstrap=bootstrap)
    if bootstrap:
        _hand_over(home, uid)
    rows = [
        {"bundle": made, "home": str(home.folder), "written": len(written), "beside": str(beside)}
    ]
    show(rows, output)


def _show_plan(bundle: "Bundle", home: "Home", output: str, *, bootstrap: bool) -> None:
    import msgspec

    from abops.backup.service.configuration import plan_restore

    told = plan_restore(bundle, home, bootstrap=bootstrap)
    show([msgspec.structs.asdict(one) for one in told], output, columns=DIFFERENCES)


def _place(place: Path | None, inventory: Path, name: str) -> "Destination":
    from abops.backup.postgres.from_inventory import place_in
    from abops.inventory.load import load_inventory

    if place is not None:
        return _read_place(place)
    declared = load_inventory(inventory).backup
    if declared is None or name not in declared.destinations:
        known = ", ".join(declared.destinations) if declared else "none"
        raise UsageError(f"--bootstrap needs --from DEST; {inventory} has: {known}")
    return place_in(declared, name)


def _read_place(path: Path) -> "Destination":
    import msgspec

    from abops.backup.model import Destination

    try:
        return msgspec.json.decode(path.read_bytes(), type=Destination)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise UsageError(f"{path}: {error}", hint="One of `destinations` of a site.json.") from None


async def _fetch(
    at: "Destination", credentials: Path, secret: str, name: str
) -> "tuple[str, Bundle]":
    from abops.backup.service.configuration import fetch_from
    from abops.kernel.clock import SystemClock

    stored, bundle = await fetch_from(at, credentials, secret, name, SystemClock())
    return stored.name, bundle


def _from_home(home: "Home", secret: str, destination: str, name: str) -> "tuple[str, Bundle]":
    from abops.backup.service.configuration import ConfigurationService
    from abops.kernel.clock import SystemClock

    service = ConfigurationService.of(home, SystemClock())
    stored, bundle = asyncio.run(service.fetch(secret, destination=destination, name=name))
    return stored.name, bundle


def _home_as_it_is(folder: Path | None) -> "Home":
    from abops.backup.model import Home

    return Home(place_of(folder).resolve())


def _new_home(folder: Path | None) -> "Home":
    from abops.backup.model import Home

    return Home(place_of(folder))


def _owner(bundle: "Bundle", name: str) -> int:
    """Return whose the home will be: as it was, unless somebody else is named."""
    from abops.backup.postgres.site import read_site

    user = name or read_site(bundle.members["home/site.json"]).cluster.owner
    try:
        uid = pwd.getpwnam(user).pw_uid
    except KeyError as error:
        raise UsageError(
            f"this machine has no user {user}", hint="Make it, or name another with --owner."
        ) from error
    if os.geteuid() not in {0, uid}:
        raise UsageError(f"the home will be {user}'s", hint=f"Run it as {user}, or as root.")
    return uid


def _hand_over(home: "Home", uid: int) -> None:
    """Give the home the engine of this machine, and to the owner of the database all of it."""
    import msgspec

    from abops.backup.postgres.site import load_site, save_site
    from abops.entry.cli.backup.init import bring_engine, give
    from abops.stack.tools import find_tool

    site = bring_engine(home, load_site(home), find_tool("pgbackrest"))
    cluster = msgspec.structs.replace(site.cluster, owner=pwd.getpwuid(uid).pw_name)
    save_site(home, msgspec.structs.replace(site, cluster=cluster))
    give(home.folder, uid)
    become(uid)
