"""Begin to protect a database."""

import asyncio
import os
import pwd
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from abops.entry.cli.backup.home import become, home_option, place_of
from abops.entry.cli.output import inventory_option, output_option, show
from abops.kernel.errors import OpsError, UsageError

if TYPE_CHECKING:
    from abops.backup.model import Home, Site
    from abops.backup.postgres.from_inventory import Endpoints

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command("init")
@inventory_option
@home_option
@click.option("--data", type=_FOLDER, help="Data folder of PostgreSQL.  [default: $PGDATA]")
@click.option("--port", type=int, default=0, help="Its port, when it does not run now.")
@click.option("--socket", type=_FOLDER, help="Folder of its socket, when it does not run now.")
@click.option("--superuser", default="postgres", show_default=True, help="Who may do everything.")
@click.option("--database", default="postgres", show_default=True, help="Where the heartbeat is.")
@click.option("--programs", type=_FOLDER, help="Folder of postgres, psql, pg_dump.")
@click.option(
    "--engine",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The backup engine's program.  [default: the installed pgbackrest]",
)
@click.option("--secrets", "keys", type=_FOLDER, help="Folder of <credentials>.json files.")
@click.option(
    "--endpoints",
    type=click.Path(path_type=Path, dir_okay=False),
    help="JSON: where destinations really are, by name.",
)
@click.option("--destination", "names", multiple=True, help="Only these destinations.")
@click.option("--make-buckets", is_flag=True, help="Make buckets that are missing.")
@click.option("--configure", is_flag=True, help="Set what PostgreSQL must be set to.")
@output_option
def command(  # noqa: PLR0913 - what a cluster is
    *,
    file: Path,
    folder: Path | None,
    data: Path | None,
    port: int,
    socket: Path | None,
    superuser: str,
    database: str,
    programs: Path | None,
    engine: Path | None,
    keys: Path | None,
    endpoints: Path | None,
    names: tuple[str, ...],
    output: str,
    make_buckets: bool,
    configure: bool,
) -> None:
    """Begin to protect a database: a configuration, a passphrase, a stanza per destination.

    May be run again: what is there stays, what changed in the inventory is written. Run it as
    the owner of the database's files, or as root.
    """
    from abops.backup.model import Home
    from abops.backup.postgres.cluster import Where, find_cluster
    from abops.backup.postgres.from_inventory import read_endpoints, site_of
    from abops.inventory.load import load_inventory
    from abops.stack.tools import find_tool

    declared = load_inventory(file).backup
    if declared is None:
        raise UsageError(f"{file} has no `backup`", hint="Say there where the copies go.")
    moved: Endpoints = read_endpoints(endpoints) if endpoints else {}
    where = Where(
        data=data or Path(os.environ.get("PGDATA") or "."),
        superuser=superuser,
        database=database,
        programs=programs or find_tool("postgres").resolve().parent,
        port=port,
        socket=socket,
    )
    cluster = find_cluster(where)
    program = engine or find_tool("pgbackrest")
    site = site_of(declared, cluster, program, endpoints=moved, names=names)
    home = Home(place_of(folder))
    site = _hand_over(home, site, keys)
    _finish(home, site, output, make_buckets=make_buckets, configure=configure)


def _hand_over(home: "Home", site: "Site", keys: Path | None) -> "Site":
    """Make the home, bring in keys and engine, give all to the owner, go on as the owner."""
    uid = pwd.getpwnam(site.cluster.owner).pw_uid
    if os.geteuid() not in {0, uid}:
        raise UsageError(
            f"the database's files belong to {site.cluster.owner}",
            hint=f"Run it as {site.cluster.owner}, or as root.",
        )
    home.folder.mkdir(parents=True, exist_ok=True)
    home.folder.chmod(0o700)
    home.secrets.mkdir(mode=0o700, exist_ok=True)
    if keys is not None:
        for name in sorted({place.credentials for place in site.destinations}):
            _bring(keys / f"{name}.json", home.credentials(name))
    site = bring_engine(home, site, site.engine)
    give(home.folder, uid)
    # What is imported only now might lie where the owner cannot look.
    import abops.backup.service.protect  # noqa: F401

    become(uid)
    if not os.access(home.folder, os.W_OK | os.X_OK):
        raise UsageError(
            f"{site.cluster.owner} cannot reach {home.folder}",
            hint="Choose a home below folders that everybody may pass (chmod o+x).",
        )
    return site


def _bring(source: Path, target: Path) -> None:
    from abops.kernel.files import write_atomic

    try:
        write_atomic(target, source.read_bytes(), mode=0o600)
    except OSError as error:
        raise UsageError(f"{source}: {error.strerror}") from error


def bring_engine(home: "Home", site: "Site", program: Path) -> "Site":
    """Return the site with this engine, a copy in the home if its owner cannot reach it."""
    import msgspec

    if not _reachable(program):
        home.programs.mkdir(exist_ok=True)
        _bring_program(home, program, home.programs / "pgbackrest")
        program = home.programs / "pgbackrest"
    return msgspec.structs.replace(site, engine=program)


def _bring_program(home: "Home", program: Path, target: Path) -> None:
    staged = home.programs / ".pgbackrest"
    shutil.copyfile(program, staged)
    staged.chmod(0o755)
    # A rename: the old one may be running.
    staged.replace(target)


def _reachable(program: Path) -> bool:
    """Tell whether everybody may run it; as ourselves we need no more than we have."""
    if os.geteuid() != 0:
        return os.access(program, os.X_OK)
    program = program.resolve()
    passable = all(folder.stat().st_mode & 0o001 for folder in program.parents)
    return passable and bool(program.stat().st_mode & 0o001)


def give(folder: Path, uid: int) -> None:
    """Make the home its owner's; nothing to do unless we are root."""
    if os.geteuid() != 0:
        return
    gid = pwd.getpwuid(uid).pw_gid
    for path in (folder, *folder.rglob("*")):
        os.chown(path, uid, gid, follow_symlinks=False)


def _finish(
    home: "Home", site: "Site", output: str, *, make_buckets: bool, configure: bool
) -> None:
    import msgspec

    from abops.backup.postgres.cluster import wanted_settings
    from abops.backup.service.protect import (
        change_settings,
        compare_settings,
        protect,
        settings_of,
    )

    begun = asyncio.run(protect(home, site, make_buckets=make_buckets))
    server = settings_of(home, site)
    told = compare_settings(home, server)
    if configure and any(one.state == "wrong" for one in told):
        change_settings(server, told, wanted_settings(home))
        told = compare_settings(home, server)
    show([msgspec.structs.asdict(one) for one in begun], output)
    if output == "table":
        _tell_settings((f"{one.name} = '{one.wanted}'", one.state) for one in told)
    failed = [one.destination for one in begun if one.state == "failed"]
    if failed:
        raise OpsError(f"{', '.join(failed)} did not begin", hint="Mend it, then run this again.")


def _tell_settings(settings: Iterable[tuple[str, str]]) -> None:
    words = {
        "wrong": "PostgreSQL must be set so (abops backup init --configure does it):",
        "restart": "PostgreSQL must be restarted before this is true:",
    }
    lines = list(settings)
    for state, title in words.items():
        these = [line for line, found in lines if found == state]
        if these:
            click.echo("\n".join(["", title, *(f"  {line}" for line in these)]), file=sys.stderr)
