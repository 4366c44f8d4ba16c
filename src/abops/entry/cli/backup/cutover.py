"""Put a restored folder in place."""

import asyncio
import shlex
from pathlib import Path

import click

from abops.entry.cli.backup.home import home_option, open_home
from abops.kernel.errors import UsageError


@click.command("cutover")
@click.argument("new", type=click.Path(path_type=Path, file_okay=False))
@home_option
@click.option("--start-with", default="", help="Command that starts it.  [default: as before]")
@click.option("--yes", is_flag=True, help="Do it: the live server stops.")
def command(*, new: Path, folder: Path | None, start_with: str, yes: bool) -> None:
    """Shut writers out, stop the old server, swap the folders, start the new one.

    The old folder is kept beside it. Where a supervisor restarts the server, stop that first.
    """
    from abops.backup.postgres.site import load_site
    from abops.backup.restore.cutover import cutover
    from abops.kernel.clock import SystemClock

    if not yes:
        raise UsageError("the live server would stop", hint="Say --yes when that is meant.")
    new = new.absolute()
    home = open_home(folder)
    site = load_site(home)
    done = asyncio.run(cutover(home, site, new, SystemClock(), start=shlex.split(start_with)))
    click.echo(f"{done.data} serves the restored database after {done.seconds:.1f} s without one")
    if done.kept is not None:
        click.echo(f"the old one is kept: {done.kept}")
