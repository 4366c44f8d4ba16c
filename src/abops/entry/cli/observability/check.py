"""Whether the rendered files are sound."""

from pathlib import Path

import click

from abops.entry.cli.output import inventory_option
from abops.kernel.errors import OpsError


class UntestedAlertError(OpsError):
    """An alert has no runbook or no test that makes it fire."""

    hint = "Write both into its catalogue entry."


@click.command()
@inventory_option
def command(file: Path) -> None:
    """Let promtool and amtool judge the rendered files; every alert needs a runbook and a test."""
    from abops.clients.promtool import Judge
    from abops.inventory.load import load_inventory
    from abops.observability.rules import catalogue
    from abops.stack.tools import find_tool
    from abops.workflows.log_files import check_log_files

    folder = file.absolute().parent / "infrastructure" / "monitoring"
    promtool, amtool = Judge(find_tool("promtool")), Judge(find_tool("amtool"))
    alerts = catalogue(load_inventory(file))
    untested = [a.name for a in alerts if not any(case.fires for case in a.cases)]
    if untested:
        raise UntestedAlertError(f"never made to fire: {', '.join(untested)}")
    promtool.check("check", "config", "--syntax-only", str(folder / "prometheus/prometheus.yml"))
    promtool.check("check", "rules", *map(str, (folder / "prometheus/rules").glob("*.yml")))
    amtool.check("check-config", str(folder / "alertmanager/routes.yml"))
    click.echo(_check_jaeger(folder / "jaeger" / "jaeger-config.yml"))
    click.echo(check_log_files(load_inventory(file), folder / "logging"))
    click.echo(f"{len(alerts)} alert rules, configuration and routes are accepted")


def _check_jaeger(config: Path) -> str:
    from abops.clients.promtool import Judge
    from abops.stack.tools import ToolMissingError, find_tool

    try:
        jaeger = Judge(find_tool("jaeger"))
    except ToolMissingError:
        return "the traces' configuration was not judged: there is no jaeger here"
    jaeger.check("validate", "--config", str(config))
    return "the traces' configuration is accepted"
