"""Judge a restored folder."""

import asyncio
from pathlib import Path

import click

from abops.entry.cli.backup.home import home_option, open_home
from abops.entry.cli.output import output_option, show
from abops.kernel.errors import OpsError


@click.command("verify-restored")
@click.argument("new", type=click.Path(path_type=Path, file_okay=False))
@home_option
@output_option
def command(new: Path, folder: Path | None, output: str) -> None:
    """Start a restored folder where nobody reaches it, check all of it, stop it.

    It replays its log and leaves recovery by that. Only a folder that passed can be cut over to.
    """
    import msgspec

    from abops.backup.drill.checks import failed
    from abops.backup.drill.judge_restored import judge_restored
    from abops.backup.postgres.site import load_site
    from abops.kernel.clock import SystemClock

    new = new.absolute()
    home = open_home(folder)
    checks = asyncio.run(judge_restored(home, load_site(home), new, SystemClock()))
    show([msgspec.structs.asdict(one) for one in checks], output)
    if failed(checks):
        raise OpsError(f"{new} is not good", hint="Restore another set, or an earlier point.")
