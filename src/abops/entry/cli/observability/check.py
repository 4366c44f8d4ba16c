"""Whether the rendered files are sound."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from abops.entry.cli.output import inventory_option
from abops.kernel.errors import OpsError

if TYPE_CHECKING:
    from abops.inventory.model import Inventory


class UntestedAlertError(OpsError):
    """An alert has no runbook or no test that makes it fire, or a recorded series no test."""

    hint = "Write both into its catalogue entry."


class FindingsError(OpsError):
    """The lint found something in rules or boards."""

    hint = "Each finding above names its next step; then `abops render` and check again."


@click.command()
@inventory_option
def command(file: Path) -> None:
    """Judge the rendered files: promtool, amtool, Jaeger, rsyslog, Grafana's schema, the lint.

    Metric contracts too. Every alert needs a runbook and a test that makes it fire.
    """
    from abops.clients.promtool import Judge
    from abops.inventory.load import load_inventory
    from abops.stack.tools import find_tool
    from abops.workflows.log_files import check_log_files

    root = file.absolute().parent
    folder = root / "infrastructure" / "monitoring"
    promtool, amtool = Judge(find_tool("promtool")), Judge(find_tool("amtool"))
    inventory = load_inventory(file)
    alerts = _tested(inventory)
    promtool.check("check", "config", "--syntax-only", str(folder / "prometheus/prometheus.yml"))
    promtool.check("check", "rules", *map(str, (folder / "prometheus/rules").glob("*.yml")))
    amtool.check("check-config", str(folder / "alertmanager/routes.yml"))
    click.echo(_judge_jaeger(folder / "jaeger" / "jaeger-config.yml"))
    click.echo(check_log_files(inventory, folder / "logging"))
    looked = _linted(inventory, root)
    click.echo(f"{alerts} alert rules, configuration and routes are accepted; {looked} are sound")


def _tested(inventory: "Inventory") -> int:
    from abops.observability.catalogue.recordings import recordings
    from abops.observability.rules import catalogue

    alerts = catalogue(inventory)
    untested = [a.name for a in alerts if not any(case.fires for case in a.cases)]
    untested += [r.record for r in recordings(inventory) if not r.cases]
    if untested:
        raise UntestedAlertError(f"no case fires, or none says a value: {', '.join(untested)}")
    unexplained = [
        a.name
        for a in alerts
        if not all((a.impact, a.runbook.meaning, a.runbook.diagnosis, a.runbook.mitigation))
    ]
    if unexplained:
        raise UntestedAlertError(f"a part of the runbook is empty: {', '.join(unexplained)}")
    return len(alerts)


def _linted(inventory: "Inventory", root: Path) -> str:
    from abops.workflows.quality import judge

    judged = judge(inventory, root)
    for finding in judged.findings:
        click.echo(
            f"{finding.file}: {finding.name}: {finding.reason} [{finding.check}]\n"
            f"  next: {finding.step}",
            err=True,
        )
    if judged.findings:
        raise FindingsError(f"{len(judged.findings)} findings in rules and boards")
    return f"{judged.expressions} expressions and {judged.boards} boards"


def _judge_jaeger(config: Path) -> str:
    from abops.clients.promtool import Judge
    from abops.stack.tools import ToolMissingError, find_tool

    try:
        jaeger = Judge(find_tool("jaeger"))
    except ToolMissingError:
        return "the traces' configuration was not judged: there is no jaeger here"
    jaeger.check("validate", "--config", str(config))
    return "the traces' configuration is accepted"
