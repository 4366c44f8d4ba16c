"""Incidents: serve, list, acknowledge, fire a test alert, explain routes, report the week."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from abops.entry.cli.alert_access import token, user
from abops.entry.cli.alert_act import assign, noise, note, resolve
from abops.entry.cli.alert_correlate import correlate
from abops.entry.cli.alert_duty import maintenance, silence
from abops.entry.cli.alert_learning import fatigue, train
from abops.entry.cli.alert_looking import channels, reconcile, replay
from abops.entry.cli.alert_regroup import merge, split
from abops.entry.cli.alert_simulate import simulate
from abops.entry.cli.alert_store import store_options
from abops.entry.cli.local import alerts_api, service_option
from abops.entry.cli.output import output_option, show

ALERTMANAGER = "http://127.0.0.1:9093"
F = TypeVar("F", bound=Callable[..., Any])

_inventory_option = click.option(
    "--inventory",
    type=click.Path(path_type=Path),
    default=Path("platform.yaml"),
    show_default=True,
    help="What exists.",
)


@click.group()
def group() -> None:
    """Incidents: serve, list, acknowledge, fire a test alert."""


group.add_command(correlate)
group.add_command(maintenance)
for command in (resolve, assign, note, noise):
    group.add_command(command)
group.add_command(merge)
group.add_command(silence)
group.add_command(simulate)
for command in (channels, reconcile, replay):
    group.add_command(command)
group.add_command(token)
group.add_command(user)
group.add_command(split)
group.add_command(train)


@group.command()
@_inventory_option
@click.option("--env", required=True, help="Environment that this service watches.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=9600, show_default=True, help="Port to listen on.")
@click.option(
    "--data-dir", type=click.Path(path_type=Path), required=True, help="Folder of the database."
)
@store_options
@click.option(
    "--secrets-dir", type=click.Path(path_type=Path), help="Folder of tokens and keys, one a file."
)
@click.option(
    "--endpoints",
    type=click.Path(path_type=Path),
    help="JSON file: where the outside systems answer. Without it: the real providers.",
)
@click.option("--alertmanager", help="Address of an Alertmanager to compare notes with.")
@click.option(
    "--resolve-after",
    default=None,
    help="Time without a firing alert until an incident resolves: 10s, 5m (the default).",
)
@click.option(
    "--telegram",
    type=click.Choice(["poll", "webhook"]),
    default="webhook",
    show_default=True,
    help="How pressed buttons arrive: fetched, or sent to /v1/callbacks/telegram.",
)
@click.option(
    "--allow-unlinked/--linked-only",
    default=None,
    help="Whether anybody in the chats may press the buttons. Default: in `local` only.",
)
@click.option(
    "--trust-proxy",
    multiple=True,
    metavar="CIDR",
    help="Believe X-Forwarded-User from these addresses, and only from them. Repeatable.",
)
@click.option("--inbox-url", help="Where the channel servers show what they received.")
@click.option("--prometheus", help="Address of Prometheus: for boards, objectives, coverage.")
@click.option("--jaeger", help="Address of Jaeger's query API: for traces.")
@click.option("--logs", help="Address of OpenSearch: for the search in logs.")
def serve(**options: Any) -> None:  # noqa: ANN401 - click's own
    """Run the alert service: takes alerts, keeps incidents, tells people."""
    from abops.entry.web.serve import Options, run

    run(Options(**options))


@group.command("list")
@click.option("--state", type=click.Choice(["open", "acked", "resolved"]), help="Only these.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
@service_option
@output_option
def list_incidents(state: str | None, limit: int, service: str, output: str) -> None:
    """List incidents: unresolved ones first, then the newest."""
    found = alerts_api(service).incidents(state=state, limit=limit)
    columns = ("number", "state", "severity", "service", "env", "title", "alerts", "firing")
    if output == "json":
        show(found, output)
        return
    rows = [{name: row.get(name) for name in (*columns, "opened_at", "acked_by")} for row in found]
    show(rows, output, columns=(*columns, "opened_at", "acked_by"))


@group.command("show")
@click.argument("number", type=int)
@service_option
@output_option
def show_incident(number: int, service: str, output: str) -> None:
    """Show one incident: its alerts, what happened, who was told."""
    detail = alerts_api(service).incident(number)
    if output == "json":
        show([detail], output)
        return
    summary = detail["summary"]
    click.echo(f"INC-{number}  {summary['state']}  {summary['severity']}  {summary['title']}")
    alerts = [{**m["alert"], "reason": m["reason"]} for m in detail["members"]]
    show(alerts, output, columns=("name", "severity", "state", "starts_at", "reason"))
    show(detail["timeline"], output, columns=("at", "kind", "actor", "text"))
    show(
        detail["deliveries"],
        output,
        columns=("channel", "kind", "state", "attempts", "latency_s", "error"),
    )


@group.command()
@click.argument("number", type=int)
@click.option("--by", envvar="USER", default="cli", show_default="$USER", help="Who takes care.")
@service_option
def ack(number: int, by: str, service: str) -> None:
    """Acknowledge incident NUMBER: you take care of it, and the channels are told."""
    changed = alerts_api(service).ack(number, by=by)
    click.echo(f"INC-{number} is {changed['state']}: {changed['acked_by']} takes care of it")


@group.command()
@click.argument("number", type=int)
@click.option("--by", envvar="USER", default="cli", show_default="$USER", help="Who says so.")
@service_option
def unack(number: int, by: str, service: str) -> None:
    """Take the acknowledgement of incident NUMBER back: it is open, and who pages rings again."""
    changed = alerts_api(service).unack(number, by=by)
    click.echo(f"INC-{number} is {changed['state']}: nobody takes care of it")


@group.command()
@click.option("--test", "--fire-test-alert", is_flag=True, required=True, help="A test alert.")
@click.option("--wait", default=30.0, show_default=True, help="Seconds every channel has.")
@click.option("--env", default="local", show_default=True, help="Environment label of the alert.")
@click.option("--alertmanager", default=ALERTMANAGER, show_default=True, help="Its address.")
@service_option
@_inventory_option
@output_option
def fire(**options: Any) -> None:  # noqa: ANN401 - click's own
    """Send a critical test alert all the way and say how long each step took.

    Exits 1 when a channel was not told in time. The alert is resolved again.
    """
    from abops.entry.cli.alert_test import LateError, fire_test

    output = options.pop("output")
    del options["test"]
    steps, late = fire_test(**options)
    show(steps, output)
    if late:
        raise LateError(f"not told in time: {', '.join(late)}")


@group.group()
def routes() -> None:
    """Who is told what, and why."""


@routes.command()
@click.argument("labels")
@_inventory_option
@output_option
def explain(labels: str, inventory: Path, output: str) -> None:
    """Say where an alert with LABELS goes: 'severity=critical,service=api'."""
    from abops.alerts.route.explain import levels_in_words, timing_in_words
    from abops.alerts.route.from_inventory import routing_of
    from abops.alerts.route.matcher import parse_labels
    from abops.alerts.route.tree import decide
    from abops.inventory.load import load_inventory

    routing, asked = routing_of(load_inventory(inventory)), parse_labels(labels)
    decision = decide(routing, asked)
    row = {
        "channels": ", ".join(decision.channels),
        "team": decision.team,
        "pages": ", ".join(sorted(decision.pages)),
        "why": decision.why,
        "escalation": ", ".join(levels_in_words(routing, decision, asked)),
        "timing": timing_in_words(routing, decision, asked),
    }
    show([row], output)


@routes.command("check")
@click.option(
    "--probe",
    "--check-channels",
    is_flag=True,
    help="Ask each channel whether it would take a message; nobody is told anything.",
)
@click.option(
    "--endpoints",
    type=click.Path(path_type=Path),
    help="JSON file: where the outside systems answer. Without it: the real providers.",
)
@click.option("--secrets-dir", type=click.Path(path_type=Path), help="Folder of the secrets.")
@_inventory_option
@output_option
def check_routes(**options: Any) -> None:  # noqa: ANN401 - click's own
    """Hold the inventory's route tests against the routes; exit 1 when one fails.

    With --probe also Slack's auth.test, Telegram's getMe and getChat, a login to the mail
    server; PagerDuty is only reached, as every event there is a page.
    """
    from abops.entry.cli.alert_routes import check_all

    output = options.pop("output")
    tests, channels, mistakes = check_all(**options)
    if output == "json":
        show([*tests, *channels], output)
    else:
        show(tests, output)
        if channels:
            show(channels, output)
    if mistakes:
        raise mistakes[0]  # the tables show them all


@group.group()
def report() -> None:
    """Reports on what happened."""


report.add_command(fatigue)


@report.command()
@click.option("--send", is_flag=True, help="Send it to the channels of alerts.summaries.")
@click.option(
    "--endpoints", type=click.Path(path_type=Path), help="JSON file: where the mail server is."
)
@click.option("--secrets-dir", type=click.Path(path_type=Path), help="Folder of the secrets.")
@service_option
@_inventory_option
def weekly(**options: Any) -> None:  # noqa: ANN401 - click's own
    """Write the report of the last seven days, and send it when asked to."""
    from abops.entry.cli.alert_report import weekly_report

    for line in weekly_report(**options):
        click.echo(line)
