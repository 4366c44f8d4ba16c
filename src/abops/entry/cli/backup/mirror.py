"""Bring mirrors up to date."""

import asyncio
from pathlib import Path

import click

from abops.entry.cli.backup.home import destinations_option, home_option, open_home
from abops.entry.cli.output import output_option, show


@click.command("mirror")
@home_option
@destinations_option("Only this mirror; may be given again.")
@output_option
def command(folder: Path | None, names: tuple[str, ...], output: str) -> None:
    """Copy what was verified to the mirrors; what is there already is not copied again."""
    from abops.backup.postgres.site import load_site
    from abops.backup.service.mirroring import MirrorService
    from abops.kernel.clock import SystemClock

    home = open_home(folder)
    clock = SystemClock()
    service = MirrorService(home, load_site(home), clock)
    rows: list[dict[str, object]] = []
    for place in service.chosen(names):
        began = clock.monotonic()
        done = asyncio.run(service.run(place))
        seconds = clock.monotonic() - began
        rows.append(
            {
                "mirror": place.name,
                "of": place.of,
                "objects": done.objects,
                "bytes": done.bytes,
                "unchanged": done.unchanged,
                "deleted": done.deleted,
                "seconds": round(seconds, 2),
            }
        )
    show(rows, output)
