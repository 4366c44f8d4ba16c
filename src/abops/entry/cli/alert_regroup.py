"""`abops alerts merge` and `split`: correcting what was grouped."""

import click

from abops.entry.cli.local import alerts_api, service_option


@click.command()
@click.argument("number", type=int)
@click.argument("into", type=int)
@click.option("--by", envvar="USER", default="cli", show_default="$USER", help="Who says so.")
@service_option
def merge(number: int, into: int, by: str, service: str) -> None:
    """Make incident NUMBER part of incident INTO; the correlator learns from it."""
    changed = alerts_api(service).merge(number, into, by=by)
    click.echo(f"INC-{number} is part of INC-{into}, which has {changed['alerts']} alerts now")


@click.command()
@click.argument("number", type=int)
@click.argument("alerts", nargs=-1, required=True)
@click.option("--by", envvar="USER", default="cli", show_default="$USER", help="Who says so.")
@service_option
def split(number: int, alerts: tuple[str, ...], by: str, service: str) -> None:
    """Make a new incident of some ALERTS (fingerprints) of incident NUMBER.

    `abops alerts show NUMBER --output json` lists the fingerprints.
    """
    changed = alerts_api(service).split(number, alerts, by=by)
    click.echo(f"INC-{changed['number']} has {changed['alerts']} of the alerts of INC-{number} now")
