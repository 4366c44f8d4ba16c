"""Make backups now."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from abops.entry.cli.backup.home import destinations_option, home_option, open_home
from abops.entry.cli.backup.sizes import in_words
from abops.entry.cli.output import output_option, show
from abops.kernel.errors import OpsError

if TYPE_CHECKING:
    from abops.backup.model import Destination
    from abops.backup.service.run import BackupService, Made

_COLUMNS = ("destination", "type", "outcome", "label", "seconds", "database", "stored", "reason")
Kind = Literal["auto", "full", "incr"]


@click.command("run")
@home_option
@click.option(
    "--type",
    "kind",
    type=click.Choice(["auto", "full", "incr"]),
    default="auto",
    show_default=True,
    help="What to make; auto makes what is needed.",
)
@destinations_option("Only to this destination; may be given again.")
@click.option(
    "--test", "trial", is_flag=True, help="The whole way on a database and regions thrown away."
)
@output_option
def command(
    *, folder: Path | None, kind: Kind, names: tuple[str, ...], output: str, trial: bool
) -> None:
    """Make a backup in each destination, one after the other; a dead one stops no other.

    With --test nothing real is touched: a database and two regions are made, protected, copied,
    changed, copied again, verified, and thrown away.
    """
    if trial:
        _try(output)
        return
    from abops.backup.postgres.site import load_site, working
    from abops.backup.service.run import BackupService

    home = open_home(folder)
    site = load_site(home)
    service = BackupService(home, site)
    places = working(site, names)

    async def all_of_them() -> "list[Made]":
        return [await _one(service, place, kind) for place in places]

    done = asyncio.run(all_of_them())
    _show(done, output)
    failed = [one for one in done if one.outcome == "failed"]
    if failed:
        # One hint for each kind of trouble.
        hints = dict.fromkeys(one.hint for one in failed if one.hint)
        told = "\n       ".join(one.error for one in failed)
        raise OpsError(told, hint="\n        ".join(hints))


def _try(output: str) -> None:
    import msgspec

    from abops.kernel.clock import SystemClock
    from abops.stack.layout import find_layout
    from abops.workflows.backup_trial import TrialError
    from abops.workflows.backup_trial import trial as go_the_way

    try:
        steps = asyncio.run(go_the_way(find_layout().root / "platform.yaml", SystemClock()))
    except asyncio.CancelledError as error:
        raise TrialError("it was ended from outside; nothing is left") from error
    show([{**msgspec.to_builtins(one), "seconds": round(one.seconds, 1)} for one in steps], output)
    failed = [one for one in steps if one.outcome == "failed"]
    if failed:
        raise TrialError("; ".join(f"{one.step}: {one.detail}" for one in failed))


async def _one(service: "BackupService", place: "Destination", kind: Kind) -> "Made":
    from abops.backup.service.lock import RunHeldError
    from abops.backup.service.run import Made

    try:
        return await service.run(place, kind, told=_progress if sys.stderr.isatty() else None)
    except RunHeldError as error:
        return Made(
            destination=place.name,
            type=kind,
            outcome="failed",
            error=str(error),
            hint=error.hint,
        )
    finally:
        if sys.stderr.isatty():
            click.echo("\r\033[K", nl=False, err=True)


def _progress(destination: str, part: float) -> None:
    click.echo(f"\r\033[K{destination}: {part:.0%} copied", nl=False, err=True)


def _show(done: "list[Made]", output: str) -> None:
    import msgspec

    if output == "json":
        show([msgspec.structs.asdict(one) for one in done], output)
        return
    rows = [
        {
            **msgspec.structs.asdict(one),
            "seconds": f"{one.seconds:.1f}",
            "database": in_words(one.size),
            "stored": in_words(one.stored),
            "label": one.label or "-",
        }
        for one in done
    ]
    show(rows, output, columns=_COLUMNS)
