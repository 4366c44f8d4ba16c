"""A new key for what a destination keeps."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from abops.entry.cli.backup.home import home_option, open_home
from abops.entry.cli.output import output_option, show

if TYPE_CHECKING:
    from abops.backup.service.rotating import Step

_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False, exists=True)


@click.command("rotate-key")
@click.argument("destination")
@home_option
@click.option("--inventory", type=_FILE, default=Path("platform.yaml"), show_default=True)
@click.option("--rendered", type=_FOLDER, multiple=True, help="Goes into the bundle.")
@click.option("--git", "repositories", type=_FOLDER, multiple=True, help="So does this repository.")
@click.option("--hurry", is_flag=True, help="Send the log for the drill at once.")
@click.option("--abandon", is_flag=True, help="Give up the new key of a rotation that is stuck.")
@output_option
def command(  # noqa: PLR0913 - what goes into a bundle is named one by one
    *,
    destination: str,
    folder: Path | None,
    inventory: Path,
    rendered: tuple[Path, ...],
    repositories: tuple[Path, ...],
    hurry: bool,
    abandon: bool,
    output: str,
) -> None:
    """Give DESTINATION a new key: a repository beside the old one, proven before it takes over.

    The new passphrase is saved in the bundles first; then the log goes to both, a full set is
    made in the new one, verified and restored; then the old one is read-only until its retention
    is over. Said again after it was cut off, it goes on where it was.
    """
    from abops.backup.configuration.collect import Sources, around
    from abops.backup.postgres.site import chosen, load_site
    from abops.backup.service.rotating import Rotation
    from abops.kernel.clock import SystemClock

    named = inventory if inventory.is_file() else None
    sources: Sources = Sources(inventory=named, rendered=rendered, repositories=repositories)
    others = {} if abandon else asyncio.run(around(sources))
    home = open_home(folder)
    site = load_site(home)
    (place,) = chosen(site, (destination,))
    done: list[Step] = []

    def tell(step: "Step") -> None:
        done.append(step)
        if output == "table":
            click.echo(f"{step.step}: {step.detail} ({step.seconds:.1f} s)", err=True)

    rotation = Rotation(home, site, SystemClock(), others, tell)
    if abandon:
        asyncio.run(rotation.abandon(place))
        click.echo(f"{place.name}: {place.next} is given up; {place.generation} goes on")
        return
    old, new = asyncio.run(rotation.run(place, hurry=hurry))
    rows = [
        {"step": one.step, "seconds": round(one.seconds, 1), "detail": one.detail} for one in done
    ]
    show(rows, output)
    click.echo(
        f"{new.name}: write `generation: {new.generation}` in {inventory.name}; {old.generation} "
        "is read until its retention is over, keep its passphrase until then",
        err=True,
    )
