"""Rules, routes and exporters: check and test them."""

import tempfile
from pathlib import Path

import click

from abops.kernel.errors import OpsError

_INVENTORY = click.option(
    "--inventory",
    "file",
    type=click.Path(path_type=Path),
    default=Path("platform.yaml"),
    show_default=True,
)


class UntestedAlertError(OpsError):
    """An alert has no runbook or no test that makes it fire."""

    hint = "Write both into its catalogue entry."


@click.group()
def group() -> None:
    """Rules, routes and exporters."""


@group.command()
@_INVENTORY
def check(file: Path) -> None:
    """Let promtool and amtool judge the rendered files; every alert needs a runbook and a test."""
    from abops.clients.promtool import Judge
    from abops.inventory.load import load_inventory
    from abops.observability.rules import catalogue
    from abops.stack.tools import find_tool

    folder = file.absolute().parent / "infrastructure" / "monitoring"
    promtool, amtool = Judge(find_tool("promtool")), Judge(find_tool("amtool"))
    alerts = catalogue(load_inventory(file))
    untested = [a.name for a in alerts if not any(case.fires for case in a.cases)]
    if untested:
        raise UntestedAlertError(f"never made to fire: {', '.join(untested)}")
    promtool.check("check", "config", "--syntax-only", str(folder / "prometheus/prometheus.yml"))
    promtool.check("check", "rules", *map(str, (folder / "prometheus/rules").glob("*.yml")))
    amtool.check("check-config", str(folder / "alertmanager/routes.yml"))
    click.echo(f"{len(alerts)} alert rules, configuration and routes are accepted")


@group.command()
@_INVENTORY
def test(file: Path) -> None:
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
