"""How much of what exists is watched."""

from pathlib import Path
from typing import Any

import click

from abops.entry.cli.local import url_option
from abops.entry.cli.output import inventory_option, output_option, show
from abops.kernel.errors import OpsError


class CoverageTooLowError(OpsError):
    """Too little of what exists is watched."""

    hint = "Each line above names what is missing; add it to the catalogue or to platform.yaml."


def stack_logs() -> str | None:
    """Return where the stack's log store listens; None when the stack runs without one."""
    from abops.stack.layout import CheckoutMissingError, find_layout
    from abops.stack.ports import DEFAULTS, HOST, read_ports

    try:
        layout = find_layout()
    except CheckoutMissingError:
        return None
    if not layout.logs_file.exists():
        return None
    port = read_ports(layout.ports_file).get("opensearch", DEFAULTS["opensearch"])
    return f"http://{HOST}:{port}"


@click.command()
@inventory_option
@click.option("--live", is_flag=True, help="Also ask a running environment what it really sees.")
@url_option("prometheus", "prometheus", "Address of Prometheus, for --live.")
@url_option("jaeger", "jaeger", "Address of Jaeger's query API, for --live.")
@click.option(
    "--logs",
    envvar="ABOPS_LOGS_URL",
    default=stack_logs,
    show_default="the stack's, if it has one",
    help="Address of OpenSearch, for --live; without it logs count as not seen.",
)
@click.option("--all", "everything", is_flag=True, help="List also what is met.")
@output_option
def command(
    *,
    file: Path,
    live: bool,
    everything: bool,
    output: str,
    **addresses: Any,  # noqa: ANN401 (click's own)
) -> None:
    """Weigh what each component needs against what watches it; exit 1 below 95 %."""
    from abops.inventory.load import load_inventory
    from abops.kernel.clock import SystemClock
    from abops.observability.coverage import GOAL, share_met
    from abops.workflows.coverage import Live, coverage

    findings = coverage(
        load_inventory(file),
        file.absolute().parent / "docs" / "runbooks",
        SystemClock(),
        Live(**addresses) if live else None,
    )
    rows = [
        {
            "component": finding.component,
            "tier": finding.tier,
            "need": finding.need,
            "weight": finding.weight,
            "met": "yes" if finding.met else "no",
            "why": finding.why,
        }
        for finding in findings
        if everything or not finding.met
    ]
    if rows or output == "json":
        show(rows, output)
    share, met = share_met(findings), sum(finding.met for finding in findings)
    how = "live" if live else "offline"
    said = f"{how} coverage {share:.1%} by weight; {met}/{len(findings)} needs met"
    if share < GOAL:
        raise CoverageTooLowError(f"{said}; the goal is {GOAL:.0%}")
    click.echo(said, err=output == "json")
