"""`abops alerts simulate storm`: ten thousand alerts in a minute, and what people got of them."""

from pathlib import Path

import click

from abops.entry.cli.output import output_option, show
from abops.kernel.errors import OpsError

LINE = 110


class StormError(OpsError):
    """The rehearsed storm was not told as it should be."""

    hint = "The table shows what each channel received; `--output json` shows every text."


@click.command()
@click.option("--alerts", default=10_000, show_default=True, type=click.IntRange(200, 100_000))
@click.option(
    "--speed",
    default=6.0,
    show_default=True,
    type=click.FloatRange(1, 60),
    help="How many times faster the service's clock runs.",
)
@click.option(
    "--inventory",
    type=click.Path(path_type=Path),
    default=Path("platform.yaml"),
    show_default=True,
    help="Whose routes and channels are used.",
)
@output_option
def storm(alerts: int, speed: float, inventory: Path, output: str) -> None:
    """Let thousands of alerts come within a minute and show what each person and channel received.

    Runs a service and channel servers of its own; nobody is told anything. Exits 1 when there
    are more than three pages, a provider's limit is broken or an alert is unaccounted for.
    """
    from msgspec import to_builtins

    from abops.alerts.route.from_inventory import routing_of
    from abops.inventory.load import load_inventory
    from abops.workflows.storm_rehearsal import received_by, rehearse_storm

    outcome = rehearse_storm(
        routing_of(load_inventory(inventory)),
        alerts=alerts,
        speed=speed,
        report=lambda line: click.echo(line, err=True),
    )
    if output == "json":
        show([to_builtins(outcome)], output)
    else:
        rows = [
            {
                "after_s": f"{one.after_s:.1f}",
                "to": one.to,
                "action": one.action,
                "text": one.text.partition("\n")[0][:LINE],
            }
            for one in outcome.heard
        ]
        show(rows, output)
        for who, calls in sorted(received_by(outcome.heard).items()):
            told = ", ".join(f"{count} {action}" for action, count in calls.items())
            click.echo(f"{who} received {sum(calls.values())}: {told}")
        click.echo(
            f"{outcome.stored:,} of {outcome.alerts:,} alerts in {outcome.incidents} incidents;"
            f" {outcome.pages} pages, {len(outcome.limits_broken)} limits broken,"
            f" {outcome.seconds:.0f} s"
        )
        if outcome.storm is not None:
            click.echo(
                f"{outcome.storm.scope}: {outcome.storm.alerts:,} alerts,"
                f" {outcome.storm.digested:,} by digest, {outcome.storm.paged_alone} alone,"
                f" at most {outcome.storm.rate:,.0f} a minute"
            )
    if faults := outcome.faults():
        raise StormError("; ".join(faults))
