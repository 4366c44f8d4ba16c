"""Look at everything that backups need."""

import asyncio
from pathlib import Path

import click

from abops.entry.cli.backup.home import home_option, open_home
from abops.entry.cli.output import output_option, show
from abops.kernel.errors import OpsError


@click.command("doctor")
@home_option
@output_option
def command(folder: Path | None, output: str) -> None:
    """Look at versions, settings, endpoints, clocks, space, permissions; exit 1 when one fails."""
    import msgspec

    from abops.backup.postgres.site import load_site
    from abops.backup.service.doctor import examine

    home = open_home(folder)
    found = asyncio.run(examine(home, load_site(home)))
    show([msgspec.structs.asdict(one) for one in found], output)
    failed = [f"{one.check} of {one.of}" for one in found if one.state == "failed"]
    if failed:
        raise OpsError(f"{', '.join(failed)}: not as it must be", hint="See the lines above.")
