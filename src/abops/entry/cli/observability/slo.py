"""What is promised, and how it stands."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from abops.entry.cli.output import inventory_option, output_option, show
from abops.kernel.errors import OpsError, UsageError

if TYPE_CHECKING:
    from abops.inventory.model import Inventory, Objective
    from abops.observability.slo.budget import Standing
    from abops.observability.slo.explain import Explanation

_prometheus = click.option(
    "--prometheus",
    envvar="ABOPS_PROMETHEUS_URL",
    default="http://127.0.0.1:9090",
    show_default=True,
    help="Address of Prometheus.",
)


class ObjectiveUnknownError(UsageError):
    """There is no objective of that name."""


@click.group()
def group() -> None:
    """What is promised, what was kept, and how much may still go wrong."""


@group.command()
@inventory_option
@_prometheus
@output_option
def status(file: Path, prometheus: str, output: str) -> None:
    """Show every objective: promised, kept, budget left, pace, state; the worst first."""
    from abops.inventory.load import load_inventory
    from abops.observability.slo.budget import time_to_exhaustion

    objectives = {one.name: one for one in load_inventory(file).slos}
    rows = []
    for one in _standings(objectives.values(), prometheus):
        ends = None
        if one.left is not None and one.burn_6h is not None:
            ends = time_to_exhaustion(one.left, one.burn_6h, objectives[one.slo])
        is_plain = output == "json"
        rows.append(
            {
                "objective": one.slo,
                "service": one.service,
                "env": one.env or None,
                "promised": one.objective if is_plain else _percent(one.objective),
                "kept": one.attained if is_plain else _percent(one.attained),
                "left": one.left if is_plain else _percent(one.left, 1),
                "burn_1h": one.burn_1h if is_plain else _figure(one.burn_1h),
                "burn_6h": one.burn_6h if is_plain else _figure(one.burn_6h),
                "spent_in_s": None if ends is None else ends.total_seconds(),
                "state": f"{one.state} (freeze)" if one.is_frozen else one.state,
            }
        )
    if output != "json":
        rows = [{k: v for k, v in row.items() if k != "spent_in_s"} for row in rows]
    show(rows, output)


@group.command()
@click.argument("name")
@inventory_option
@_prometheus
def explain(name: str, file: Path, prometheus: str) -> None:
    """Say what objective NAME measures, what it allows, when it pages, and how it stands now."""
    from abops.inventory.load import load_inventory
    from abops.observability.slo.explain import explain as explained

    inventory = load_inventory(file)
    objective = _objective(name, inventory)
    about = explained(objective, inventory)
    click.echo("\n".join(_about(about)))
    try:
        standings = _standings([objective], prometheus)
    except OpsError as error:
        click.echo(f"\nNow: unknown: {error}. {error.hint}")
        return
    for standing in standings:
        click.echo("\n".join(_now(standing, about)))


def _objective(name: str, inventory: "Inventory") -> "Objective":
    from abops.inventory.check import nearest

    for objective in inventory.slos:
        if objective.name == name:
            return objective
    raise ObjectiveUnknownError(
        f"there is no objective {name!r}", hint=nearest(name, (o.name for o in inventory.slos))
    )


def _standings(objectives: Iterable["Objective"], url: str) -> tuple["Standing", ...]:
    import asyncio

    from abops.kernel.clock import SystemClock
    from abops.workflows.objectives import ask_once

    return asyncio.run(ask_once(url, tuple(objectives), SystemClock()))


def _about(about: "Explanation") -> list[str]:
    from abops.observability.slo.explain import in_words

    objective = about.objective
    floors = objective.min_bad_events
    lines = [
        f"{objective.name}: {about.promise}",
        *([f"  {objective.description}"] if objective.description else []),
        f"  Counted: {about.counted}.",
        f"  A bad one hurts: {about.hurts}",
        "",
        "Queries",
        f"  bad events a second   {about.bad}",
        f"  all events a second   {about.total}",
        "",
        "Budget",
        (
            f"  {objective.budget:.4%} of events; as long as {about.minutes:.1f} minutes of full"
            " outage with even traffic"
        ),
        "",
        f"When {about.events} begin to go wrong at a steady rate",
        "  bad        page after    ticket after    budget gone after",
        *(
            f"  {f'{row.ratio * 100:g} %':<9}  {in_words(row.page):<12}  {in_words(row.ticket):<14}"
            f"  {in_words(row.spent)}"
            for row in about.table
        ),
        (
            f"  Nobody is paged below {floors.page} bad events, nor told below {floors.ticket}."
            " Rules are evaluated every 30 s."
        ),
        "",
        "Alerts",
        f"  page    {about.page}",
        f"  ticket  {about.ticket}",
    ]
    return [line.rstrip() for line in lines]


def _now(standing: "Standing", about: "Explanation") -> list[str]:
    lines = ["", f"Now{' in ' + standing.env if standing.env else ''}: {standing.state}"]
    if standing.left is None:
        return [*lines, "  Nothing has been counted yet."]
    lines.append(
        f"  kept {_percent(standing.attained)}, {_percent(standing.left, 1)} of the budget left,"
        f" burn {_figure(standing.burn_1h)} over 1h and {_figure(standing.burn_6h)} over 6h"
    )
    if standing.bad_events is not None:
        allowed = about.allowed(standing.rate) if standing.rate else 0.0
        lines.append(
            f"  {standing.bad_events:,.0f} bad {about.events} so far; at the present rate of"
            f" {standing.rate or 0:.3g} a second the budget is {allowed:,.0f} of them"
        )
    if standing.is_frozen:
        lines.append("  The budget is spent: deployments that are no mends wait.")
    return lines


def _percent(share: float | None, digits: int = 3) -> str | None:
    return None if share is None else f"{share * 100:.{digits}f} %"


def _figure(value: float | None) -> str | None:
    return None if value is None else f"{value:.3g}"
