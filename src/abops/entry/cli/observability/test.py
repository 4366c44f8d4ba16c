"""Whether each alert fires when it must, and only then."""

import tempfile
from pathlib import Path

import click

from abops.entry.cli.output import inventory_option


@click.command()
@inventory_option
def command(file: Path) -> None:
    """Run every alert's cases through promtool: fires when it must, silent when it must not."""
    from abops.clients.promtool import Judge
    from abops.inventory.load import load_inventory
    from abops.observability.promtests import promtool_files
    from abops.observability.rules import catalogue
    from abops.stack.tools import find_tool

    inventory = load_inventory(file)
    with tempfile.TemporaryDirectory(prefix="abops-rules-") as folder:
        files = promtool_files(inventory)
        for name, text in files.items():
            (Path(folder) / name).write_text(text)
        tests = sorted(name for name in files if name.endswith(".test.yml"))
        Judge(find_tool("promtool")).check("test", "rules", *tests, cwd=Path(folder))
    cases = sum(len(alert.cases) for alert in catalogue(inventory))
    click.echo(f"{cases} cases of {len(tests)} alerts passed")
