"""Count on a destination again that was given up."""

import asyncio
from pathlib import Path

import click

from abops.entry.cli.backup.failover import show_changes, tell_archiver
from abops.entry.cli.backup.home import home_option, open_home
from abops.entry.cli.output import output_option, show


@click.command("failback")
@click.argument("destination", metavar="DEST")
@home_option
@output_option
def command(*, destination: str, folder: Path | None, output: str) -> None:
    """Take a destination back once it has caught up; until then say what it lacks.

    Nothing may be owed to it, its log must have no hole, and a set that was made after it was
    given up must be good. It is verified for that.
    """
    from abops.backup.postgres.site import load_site
    from abops.backup.service.failover import plan_failback, refuse_early, settle
    from abops.kernel.clock import SystemClock

    home = open_home(folder)
    shifted = asyncio.run(plan_failback(home, load_site(home), destination, SystemClock()))
    if shifted.checks:
        checks = [
            {"claim": one.claim, "holds": one.outcome, "detail": one.detail}
            for one in shifted.checks
        ]
        show(checks, output)
    refuse_early(destination, shifted.checks)
    show_changes(shifted, output)
    tell_archiver(told=asyncio.run(settle(home, shifted)))
