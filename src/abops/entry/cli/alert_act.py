"""`abops alerts resolve`, `assign`, `note` and `noise`: what is done with one incident."""

import click

from abops.entry.cli.local import alerts_api, service_option

_number = click.argument("number", type=int)
_by = click.option("--by", envvar="USER", default="cli", show_default="$USER", help="Who says so.")


@click.command()
@_number
@_by
@service_option
def resolve(number: int, by: str, service: str) -> None:
    """Say that incident NUMBER is over, whatever still fires."""
    alerts_api(service).act(number, "resolve", by=by)
    click.echo(f"INC-{number} is resolved")


@click.command()
@_number
@click.argument("owner")
@_by
@service_option
def assign(number: int, owner: str, by: str, service: str) -> None:
    """Give incident NUMBER to OWNER; an empty OWNER ("") makes it nobody's."""
    changed = alerts_api(service).act(number, "assign", by=by, owner=owner)
    click.echo(f"INC-{number} is {changed['owner'] or 'nobody'}'s now")


@click.command()
@_number
@click.argument("text")
@_by
@service_option
def note(number: int, text: str, by: str, service: str) -> None:
    """Add the line TEXT to the timeline of incident NUMBER."""
    alerts_api(service).act(number, "note", by=by, text=text)
    click.echo(f"noted for INC-{number}")


@click.command()
@_number
@click.option("--not", "negated", is_flag=True, help="It was no noise after all.")
@_by
@service_option
def noise(number: int, negated: bool, by: str, service: str) -> None:  # noqa: FBT001 - click's
    """Say that nobody had to act on incident NUMBER."""
    alerts_api(service).act(number, "noise", by=by, noise=not negated)
    click.echo(f"INC-{number} was {'no ' if negated else ''}noise")
