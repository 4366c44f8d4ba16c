"""Count on another destination while one is lost."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from abops.entry.cli.backup.home import home_option, open_home
from abops.entry.cli.output import output_option, show
from abops.kernel.errors import UsageError

if TYPE_CHECKING:
    from abops.backup.service.failover import Shifted


@click.command("failover")
@click.option("--primary", required=True, metavar="DEST", help="Who is to lead; it must answer.")
@click.option(
    "--away",
    multiple=True,
    metavar="DEST",
    help="Give this one up, whether it answers or not; may be given again.",
)
@click.option("--yes", is_flag=True, help="Do it; without it, what would change is shown.")
@home_option
@output_option
def command(
    *, primary: str, away: tuple[str, ...], yes: bool, folder: Path | None, output: str
) -> None:
    """Let another destination lead, and count on none that does not answer.

    Restores and recovering servers do not ask those who are away, the log counts as kept without
    them, their mirrors hold still. They are still owed the log: `failback` takes them back.
    """
    from abops.backup.postgres.site import load_site
    from abops.backup.service.failover import plan_failover, settle
    from abops.kernel.clock import SystemClock

    home = open_home(folder)
    plan = plan_failover(home, load_site(home), primary, SystemClock(), named=away)
    shifted = asyncio.run(plan)
    show_changes(shifted, output)
    if not yes:
        raise UsageError("nothing was changed", hint="Say --yes when that is meant.")
    tell_archiver(told=asyncio.run(settle(home, shifted)))


def show_changes(shifted: "Shifted", output: str) -> None:
    """Show what was and what is."""
    rows = [{"what": one.what, "was": one.was, "is": one.now} for one in shifted.rows]
    show(rows, output)


def tell_archiver(*, told: bool) -> None:
    """Say from when on the archiver goes by it."""
    click.echo(
        "the archiver goes by it now" if told else "no archiver runs: it goes by it when it starts",
        err=True,
    )
