"""What exists: show, check, print the schema of platform.yaml."""

import json
from pathlib import Path

import click

from abops.entry.cli.output import output_option, show

_FILE = click.argument("file", type=click.Path(path_type=Path), default=Path("platform.yaml"))


@click.group()
def group() -> None:
    """Look at the inventory and check it."""


@group.command("show")
@_FILE
@output_option
def show_inventory(file: Path, output: str) -> None:
    """List everything that runs, from FILE (platform.yaml)."""
    from abops.inventory.load import load_inventory

    inventory = load_inventory(file)
    if output == "json":
        click.echo(inventory.model_dump_json(indent=2))
        return
    rows = [
        {
            "name": part.name,
            "group": group_name,
            "kind": part.kind,
            "tier": part.tier,
            "team": part.team,
            "port": part.port or "",
            "depends_on": ", ".join(part.depends_on),
        }
        for group_name in ("services", "stores", "platform", "optional")
        for part in getattr(inventory, group_name)
    ]
    show(rows, output)


@group.command()
@_FILE
def check(file: Path) -> None:
    """Check FILE and list every mistake with its line."""
    from abops.inventory.load import load_inventory

    inventory = load_inventory(file)
    click.echo(
        f"{file}: {len(inventory.services)} services, {len(inventory.stores)} stores, "
        f"{len(inventory.platform)} platform parts, {len(inventory.queues)} queues, "
        f"{len(inventory.alerts.channels)} channels: no mistake found"
    )


@group.command()
def schema() -> None:
    """Print the JSON Schema of platform.yaml, for editors."""
    from abops.inventory.model import Inventory

    click.echo(json.dumps(Inventory.json_schema(), indent=2))
