"""`abops alerts channels`, `reconcile` and `replay`: how things stand, and how they would."""

from pathlib import Path
from typing import Any

import click

from abops.entry.cli.alert_access import data_option
from abops.entry.cli.local import alerts_api, service_option
from abops.entry.cli.output import output_option, show

_CHANNELS = ("channel", "type", "waiting", "held", "oldest_at", "told", "told_at", "dead", "error")


@click.command()
@service_option
@output_option
def channels(service: str, output: str) -> None:
    """Say how each channel stands: what waits, what it took in a day, what was given up.

    Whether they would take a message now: `abops alerts routes check --probe`.
    """
    show(alerts_api(service).channels(), output, columns=_CHANNELS)


@click.command()
@service_option
@output_option
def reconcile(service: str, output: str) -> None:
    """Have the service compare notes with Alertmanager now instead of within a minute."""
    found = alerts_api(service).reconcile()
    if output == "json":
        show([found], output)
        return
    click.echo(
        f"{found['listed']} alerts in Alertmanager, {found['firing']} fire here:"
        f" {found['taken_in']} taken in, {found['gone']} gone there,"
        f" {found['vanished']} of them count as over now"
    )


@click.command()
@click.option("--since", default="24h", show_default=True, help="How far back: 24h, 7d.")
@click.option("--env", default="local", show_default=True, help="Environment of the service.")
@click.option(
    "--inventory",
    type=click.Path(path_type=Path),
    default=Path("platform.yaml"),
    show_default=True,
    help="The rules that are held against it.",
)
@data_option
@output_option
def replay(**options: Any) -> None:  # noqa: ANN401 - click's own
    """Say what the inventory's rules would have made of the stored alerts of the last hours.

    Nothing is stored and nobody is told. Every message counts as taken at once, and nobody
    acknowledges: it is what would be told at most.
    """
    from abops.entry.cli.alert_replay import replayed

    output = options.pop("output")
    rows, summary = replayed(**options)
    if output == "json":
        show([{**summary, "incidents": rows}], output)
        return
    show(rows, output)
    click.echo(
        f"{summary['alerts']} alerts: {len(rows)} incidents, {summary['messages']} messages,"
        f" {summary['pages']} pages; it was {summary['incidents_then']} incidents,"
        f" {summary['messages_then']} messages, {summary['pages_then']} pages"
    )
