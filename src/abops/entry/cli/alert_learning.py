"""What alerts cost people, and learning from what people did: `report fatigue`, `train`."""

import click

from abops.entry.cli.local import alerts_api, service_option
from abops.entry.cli.output import output_option, show


@click.command()
@click.option("--days", default=7, show_default=True, type=click.IntRange(1, 366), help="Period.")
@service_option
@output_option
def fatigue(days: int, service: str, output: str) -> None:
    """Say what the alerts of the last days cost people, with a proposed change in each row."""
    from abops.entry.cli.alert_report import fatigue_figures, fatigue_proposals

    found = alerts_api(service).fatigue(days)
    if output == "json":
        show([found], output)
        return
    show(fatigue_figures(found), output)
    if proposals := fatigue_proposals(found):
        show(proposals, output)
    click.echo(found["now"]["proposal"])


@click.command()
@service_option
@output_option
def train(service: str, output: str) -> None:
    """Fit the score to all labels now; it happens every night on its own.

    A model that ranks last week's incidents worse than the served one is not taken.
    """
    found = alerts_api(service).train()
    if output == "json":
        show([found], output)
        return
    served = "the new model is served" if found["swapped"] else "nothing changed"
    click.echo(f"{served}: {found['why']} ({found['examples']} labels)")
