"""Whether each alert fires when it must and only then, and each recorded series is right."""

import tempfile
from pathlib import Path

import click

from abops.entry.cli.output import inventory_option


@click.command()
@inventory_option
def command(file: Path) -> None:
    """Run all cases through promtool: alerts fire only when they must, series are right."""
    from abops.clients.promtool import Judge
    from abops.inventory.load import load_inventory
    from abops.observability.catalogue.recordings import recordings
    from abops.observability.promtests import promtool_files, recording_files
    from abops.observability.rules import catalogue
    from abops.stack.tools import find_tool

    inventory = load_inventory(file)
    with tempfile.TemporaryDirectory(prefix="abops-rules-") as folder:
        files = promtool_files(inventory) | recording_files(inventory)
        for name, text in files.items():
            (Path(folder) / name).write_text(text)
        tests = sorted(name for name in files if name.endswith(".test.yml"))
        Judge(find_tool("promtool")).check("test", "rules", *tests, cwd=Path(folder))
    alerts, series = catalogue(inventory), recordings(inventory)
    cases = sum(len(alert.cases) for alert in alerts) + sum(len(one.cases) for one in series)
    click.echo(f"{cases} cases of {len(alerts)} alerts and {len(series)} recorded series passed")
