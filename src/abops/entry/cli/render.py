"""Write every file that follows from platform.yaml."""

from pathlib import Path

import click

from abops.kernel.errors import OpsError


class StaleFilesError(OpsError):
    """Committed files do not follow from platform.yaml."""

    hint = "Run abops render and commit the result."


@click.command("render")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 and name what differs.")
@click.option(
    "--inventory",
    "file",
    type=click.Path(path_type=Path),
    default=Path("platform.yaml"),
    show_default=True,
    help="The inventory; files are written beside it.",
)
def group(file: Path, *, check: bool) -> None:
    """Write every generated file: rules, routes, scrape configuration, runbooks."""
    from abops.inventory.load import load_inventory
    from abops.workflows.render import render

    outcome = render(load_inventory(file), file.absolute().parent, write=not check)
    differing = [*outcome.changed, *outcome.left_over]
    if check and differing:
        raise StaleFilesError("these files are stale: " + ", ".join(map(str, differing)))
    for path in outcome.changed:
        click.echo(f"wrote {path}")
    for path in outcome.left_over:
        click.echo(f"removed {path}")
    click.echo(f"{outcome.total} files follow from {file}", err=True)
