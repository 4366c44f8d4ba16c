"""The catalog: the memory of what was made, checked, restored."""

import asyncio
from pathlib import Path

import click

from abops.entry.cli.backup.home import home_option, open_home
from abops.entry.cli.output import output_option, show
from abops.kernel.errors import OpsError


class NotAskedError(OpsError):
    """Not every destination could be asked; of those the catalog knows what it knew."""


@click.group()
def group() -> None:
    """The memory of what was made; losing it costs history, never a backup."""


@group.command()
@home_option
@click.option("--from", "names", multiple=True, metavar="DEST", help="Ask only these.")
@output_option
def rebuild(folder: Path | None, names: tuple[str, ...], output: str) -> None:
    """Write the catalog again from each destination's own words, all key generations.

    One that cannot be read is put aside. Verdicts come with the next verification; nothing
    expires before it.
    """
    import msgspec

    from abops.backup.postgres.site import chosen, load_site
    from abops.backup.service.rebuilding import rebuild as rebuild_catalog

    home = open_home(folder)
    site = load_site(home)
    found, aside = asyncio.run(rebuild_catalog(home, site, chosen(site, names)))
    if aside is not None:
        click.echo(f"warning: the catalog could not be read; it is {aside.name} now", err=True)
    rows = [msgspec.to_builtins(one) for one in found]
    if output == "table":
        rows = [{**row, "lost": ", ".join(row["lost"]) or "-"} for row in rows]
    show(rows, output, columns=("destination", "generation", "sets", "lost", "error"))
    away = [one for one in found if one.error]
    if away:
        hints = dict.fromkeys(one.hint for one in away)
        raise NotAskedError(
            "\n       ".join(one.error for one in away), hint="\n        ".join(hints)
        )
