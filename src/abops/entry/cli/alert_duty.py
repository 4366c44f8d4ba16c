"""`abops alerts silence`, `maintenance` and `simulate`: being told nothing, and being woken."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

import click

from abops.entry.cli.local import alerts_api, service_option
from abops.entry.cli.output import output_option, show

F = TypeVar("F", bound=Callable[..., Any])
_COLUMNS = ("id", "name", "matchers", "reason", "starts_at", "ends_at", "schedule", "created_by")


def _by(function: F) -> F:
    return click.option(
        "--by", envvar="USER", default="cli", show_default="$USER", help="Who says so."
    )(function)


def _reason(function: F) -> F:
    return click.option("--reason", required=True, help="Why nobody has to be told.")(function)


@click.group()
def silence() -> None:
    """Keep alerts from people for a while; they are stored and grouped all the same."""


@silence.command("add")
@click.argument("matchers")
@click.option("--for", "lasts", required=True, help="How long: 30m, 2h, up to 7d.")
@_reason
@_by
@service_option
def add_silence(matchers: str, lasts: str, reason: str, by: str, service: str) -> None:
    """Silence alerts that match MATCHERS: 'service="api", severity="warning"'."""
    end = _after(lasts)
    made = alerts_api(service).add_silence(
        {"matchers": matchers, "reason": reason, "ends_at": end.isoformat(), "by": by}
    )
    click.echo(f"silence {made['id']} until {end:%Y-%m-%d %H:%M:%S} UTC")


@silence.command("list")
@service_option
@output_option
def list_silences(service: str, output: str) -> None:
    """List the silences that have not ended."""
    columns = tuple(name for name in _COLUMNS if name not in ("name", "schedule"))
    show(alerts_api(service).silences(), output, columns=columns)


@silence.command("end")
@click.argument("number", type=int)
@_by
@service_option
def end_silence(number: int, by: str, service: str) -> None:
    """End silence NUMBER now; what still fires is told."""
    alerts_api(service).end_silence(number, by=by)
    click.echo(f"silence {number} has ended")


@click.group()
def maintenance() -> None:
    """Plan windows in which alerts are kept from people, once or every week."""


@maintenance.command("add")
@click.argument("name")
@click.argument("matchers")
@click.option("--for", "lasts", required=True, help="How long: 2h, up to 7d.")
@click.option("--days", help="Every week on these days: sat,sun. Without it: once.")
@click.option("--at", help='Local time at which it opens, "02:00". Without it: now.')
@click.option("--tz", default="UTC", show_default=True, help="Time zone of --at.")
@click.option("--key", default="", help="Name of what plans it; asked for twice, it is one window.")
@_reason
@_by
@service_option
def add_window(**options: Any) -> None:  # noqa: ANN401 - click's own
    """Plan window NAME for alerts that match MATCHERS.

    A local time that the clocks skip moves forward; critical alerts about security are silenced
    only when MATCHERS name them.
    """
    days, at, lasts = options["days"], options["at"], options["lasts"]
    if (days is None) != (at is None):
        raise click.UsageError("--days and --at go together")
    body = {name: options[name] for name in ("name", "matchers", "reason", "by", "key")}
    if days:
        named = [day.strip() for day in days.split(",")]
        body["schedule"] = {"days": named, "at": at, "for": lasts, "tz": options["tz"]}
    else:
        body["ends_at"] = _after(lasts).isoformat()
    made = alerts_api(options["service"]).add_window(body)
    click.echo(f"window {made['id']} is planned")


@maintenance.command("list")
@service_option
@output_option
def list_windows(service: str, output: str) -> None:
    """List the windows that are open or may yet open."""
    show(alerts_api(service).windows(), output, columns=_COLUMNS)


@maintenance.command("end")
@click.argument("number", type=int)
@_by
@service_option
def end_window(number: int, by: str, service: str) -> None:
    """End window NUMBER and its repetitions now; what still fires is told."""
    alerts_api(service).end_window(number, by=by)
    click.echo(f"window {number} has ended")


@click.command()
@click.option(
    "--speed",
    default=60.0,
    show_default=True,
    type=click.FloatRange(1, 120),
    help="Times faster than the policy says: 60 makes a minute a second.",
)
@click.option(
    "--inventory",
    type=click.Path(exists=True, dir_okay=False),
    default="platform.yaml",
    show_default=True,
    help="Where the policy is read from.",
)
@click.option("--policy", default="default", show_default=True, help="Which escalation.")
@output_option
def escalation(speed: float, inventory: str, policy: str, output: str) -> None:
    """Raise a critical alert that nobody takes, and see who is paged when.

    A service and channel servers of its own are started and stopped; nobody is woken. Exits 1
    when a level is not paged in time, an acknowledgement does not stop it, or one that is taken
    back does not let it go on.
    """
    from pathlib import Path

    from abops.kernel.errors import OpsError
    from abops.workflows.escalation import rehearse

    steps = rehearse(Path(inventory), speed, policy)
    show([step.row() for step in steps], output)
    wrong = [step.what for step in steps if not step.passed]
    if wrong:
        raise OpsError(
            f"not as the policy says: {'; '.join(wrong)}",
            hint="Look at `alerts.escalation` in the inventory and run it with a lower --speed.",
        )


def _after(lasts: str) -> datetime:
    from abops.kernel.clock import SystemClock
    from abops.kernel.quantities import parse_duration

    span: timedelta = parse_duration(lasts)
    return SystemClock().now() + span
