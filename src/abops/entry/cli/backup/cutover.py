"""Put a restored folder in place."""

import asyncio
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from abops.entry.cli.backup.home import home_option, open_home
from abops.kernel.errors import UsageError

if TYPE_CHECKING:
    from abops.backup.restore.cutover import Done

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command("cutover")
@click.argument("new", type=_FOLDER)
@home_option
@click.option("--start-with", default="", help="Command that starts it.  [default: as before]")
@click.option(
    "--dsn-secret", "name", default="", metavar="NAME", help="Secret with the DSN to turn."
)
@click.option("--secrets", type=_FOLDER, help="Folder of that secret.  [default: the home's]")
@click.option(
    "--dsn-host", "host", default="", metavar="HOST[:PORT]", help="[default: where it listens]"
)
@click.option("--yes", is_flag=True, help="Do it: the live server stops.")
def command(  # noqa: PLR0913 - what a cutover can be told
    *,
    new: Path,
    folder: Path | None,
    start_with: str,
    name: str,
    secrets: Path | None,
    host: str,
    yes: bool,
) -> None:
    """Shut writers out, stop the old server, swap the folders, start the new one.

    The old folder is kept beside it. Where a supervisor restarts the server, stop that first.
    --dsn-secret writes into the applications' secret where the database is now; user, password
    and database in it stay, and nothing of it is shown.
    """
    from abops.backup.postgres.site import load_site
    from abops.backup.restore.cutover import cutover
    from abops.backup.restore.dsn import find_secret, read_address
    from abops.kernel.clock import SystemClock

    if not yes:
        raise UsageError("the live server would stop", hint="Say --yes when that is meant.")
    if (secrets or host) and not name:
        raise UsageError("--secrets and --dsn-host are about --dsn-secret NAME")
    new, secrets = new.absolute(), secrets.absolute() if secrets else None
    home = open_home(folder)
    site = load_site(home)
    secret = find_secret(secrets or home.secrets, name) if name else None
    address = read_address(host, site.cluster.port) if host else None
    done = asyncio.run(cutover(home, site, new, SystemClock(), start=shlex.split(start_with)))
    _show(done)
    if secret is not None:
        from abops.backup.restore.dsn import address_of, point_at

        address = address or address_of(done.data)
        point_at(secret, address)
        click.echo(f"secret {secret.name} leads to {address.host}, port {address.port}")


def _show(done: "Done") -> None:
    click.echo(f"{done.data} serves the restored database after {done.seconds:.1f} s without one")
    if done.kept is not None:
        click.echo(f"the old one is kept: {done.kept}")
