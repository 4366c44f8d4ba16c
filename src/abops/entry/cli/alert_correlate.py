"""`abops alerts correlate`: the incidents that a set of alerts makes."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from abops.entry.cli.output import output_option, show

if TYPE_CHECKING:
    from abops.alerts.model import AlertEvent


@click.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True), required=False)
@click.option("--from-alertmanager", "alertmanager", help="Address of an Alertmanager to ask.")
@click.option(
    "--topology",
    type=click.Path(path_type=Path),
    help="File of calls, one `caller,callee` a line. Without it: the inventory's.",
)
@click.option(
    "--inventory", type=click.Path(path_type=Path), default=Path("platform.yaml"), show_default=True
)
@click.option("--gap", default=300.0, show_default=True, help="Seconds that full evidence bridges.")
@output_option
def correlate(  # noqa: PLR0913, PLR0917 - one for each option
    file: Path | None,
    alertmanager: str | None,
    topology: Path | None,
    inventory: Path,
    gap: float,
    output: str,
) -> None:
    """Group alerts into incidents and name the likely cause of each; nothing is stored or sent.

    FILE holds webhook bodies of Alertmanager, or alerts one a line (`-`: standard input).
    """
    from msgspec import to_builtins

    from abops.workflows.correlation import group

    found = group(_events(file, alertmanager), _calls(topology, inventory), gap)
    if output == "json":
        show([to_builtins(incident) for incident in found], output)
        return
    for incident in found:
        share = "" if incident.share is None else f" ({incident.share:.0%})"
        cause = f"likely cause {incident.cause}{share}" if incident.cause else "no likely cause"
        click.echo(f"{incident.number}  {incident.severity}  {incident.title}  {cause}")
        for term in incident.terms:
            click.echo(f"     {term}")
        show(
            [to_builtins(part) for part in incident.alerts],
            output,
            columns=("at", "name", "service", "severity", "reason"),
        )
    alerts = sum(len(incident.alerts) for incident in found)
    click.echo(f"{alerts} alerts, {len(found)} incidents")


def _events(file: Path | None, alertmanager: str | None) -> "list[AlertEvent]":
    from abops.kernel.errors import UsageError
    from abops.workflows.correlation import events_of, read_events

    if (file is None) == (alertmanager is None):
        raise UsageError("name a FILE (- for standard input), or --from-alertmanager URL")
    if alertmanager is not None:
        return events_of(alertmanager)
    if str(file) == "-":
        return read_events(sys.stdin.buffer.read())
    try:
        return read_events(Path(str(file)).read_bytes())
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error


def _calls(topology: Path | None, inventory: Path) -> list[tuple[str, str]]:
    from abops.alerts.rootcause.live import platform_edges
    from abops.inventory.load import load_inventory
    from abops.kernel.errors import UsageError

    if topology is None:
        return [(edge.source, edge.target) for edge in platform_edges(load_inventory(inventory))]
    try:
        lines = topology.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{topology} cannot be read: {error}") from error
    calls = []
    for number, line in enumerate(lines, start=1):
        caller, comma, callee = line.partition(",")
        if not line.strip():
            continue
        if not comma or not caller.strip() or not callee.strip():
            raise UsageError(f"{topology}, line {number}: `caller,callee` is expected")
        calls.append((caller.strip(), callee.strip()))
    return calls
