"""Coming back after a loss: rehearse it, measure it."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from abops.entry.cli.backup.home import home_option, open_home
from abops.entry.cli.output import output_option, show
from abops.entry.cli.recovery_scenarios import keep_report, rehearse_all, scenario_numbers
from abops.kernel.errors import OpsError, UsageError

if TYPE_CHECKING:
    from abops.backup.drill.evidence import Evidence
    from abops.backup.model import Home, Site
    from abops.workflows.recovery.run import How

_FOLDER = click.Path(path_type=Path, file_okay=False)


F = TypeVar("F", bound=Callable[..., Any])


def rehearsal_options(command: F) -> F:
    """Add what every rehearsal can be told: how fast, how large, where its evidence goes."""
    hurried = "Send the log at once: RPO looks better than it is."
    kept = "Keep the evidence as JSON, Markdown and a page."
    for option in reversed(
        (
            click.option("--hurry", is_flag=True, help=hurried),
            click.option(
                "--scale",
                type=click.IntRange(1, 1_000),
                default=1,
                show_default=True,
                help="Size of a scenario's database: 15 MB each, and some.",
            ),
            click.option("--report", is_flag=True, help=kept),
            click.option("--report-dir", "where", type=_FOLDER, help="Where it is kept."),
        )
    ):
        command = option(command)
    return command


@click.group()
def group() -> None:
    """Recovery: rehearsed and measured."""


@group.command("drill")
@home_option
@click.option(
    "--destination", "names", multiple=True, help="Only this.  [default: whose turn it is]"
)
@click.option("--all", "every", is_flag=True, help="Each destination, latest point and a moment.")
@click.option("--kind", type=click.Choice(["latest", "time"]), help="[default: they take turns]")
@click.option(
    "--scenario",
    "scenarios",
    multiple=True,
    metavar="N|all",
    help="Rehearse a scenario of the playbook on a throw-away setting; may be given again.",
)
@rehearsal_options
@output_option
def drill_command(  # noqa: PLR0913 - what a drill can be told
    *,
    folder: Path | None,
    names: tuple[str, ...],
    every: bool,
    kind: Any,  # noqa: ANN401 - one of the choices
    hurry: bool,
    scenarios: tuple[str, ...],
    scale: int,
    report: bool,
    where: Path | None,
    output: str,
) -> None:
    """Restore a backup on a server of its own, compare it, measure it, throw it away.

    With --scenario, let a disaster of the playbook happen to a throw-away database and run the
    playbook's lines. Exit code 1 when one failed, was not run, or took longer or lost more than
    the targets allow.
    """
    if scenarios:
        if names or every or kind:
            raise UsageError("--scenario makes a database of its own: leave the others out")
        numbers = scenario_numbers(scenarios)
        kept = _kept(where, report=report)
        rehearse_all(numbers, _how(hurry=hurry, scale=scale), kept=kept, output=output)
        return
    home = open_home(folder)
    found, site = _drill(home, names, kind, every=every, hurry=hurry)
    show([_row(one, site) for one in found], output)
    if report or where:
        keep_report(found, site, (where or home.drills / "reports").absolute())
    wrong = [one for one in found if one.outcome == "failed" or _over(one, site)]
    if wrong:
        raise OpsError(
            "; ".join(f"{one.id}: {one.error or 'over its target'}" for one in wrong),
            hint=f"Evidence: {home.drills}",
        )


@group.command("test")
@click.option(
    "--scenario",
    "scenarios",
    multiple=True,
    metavar="N|all",
    help="Rehearse only this; may be given again.  [default: all]",
)
@rehearsal_options
@output_option
def test_command(  # noqa: PLR0913 - what a rehearsal can be told
    *,
    hurry: bool,
    scenarios: tuple[str, ...],
    scale: int,
    report: bool,
    where: Path | None,
    output: str,
) -> None:
    """Try all that backups promise on things thrown away: commands, bundle, disasters.

    What the plan's scripts call, a bundle there and back, the scenarios of the playbook: one table.
    Exit code 1 when one is not met, also when it was not run.
    """
    numbers = scenario_numbers(scenarios or ("all",))
    how = _how(hurry=hurry, scale=scale, trials=True)
    rehearse_all(numbers, how, kept=_kept(where, report=report), output=output)


def _how(*, hurry: bool, scale: int, trials: bool = False) -> "How":
    from abops.workflows.recovery.run import How

    return How(hurry=hurry, scale=scale, trials=trials)


def _kept(where: Path | None, *, report: bool) -> Path | None:
    return (where or Path("test-results/recovery")).absolute() if report or where else None


def _drill(
    home: "Home",
    names: tuple[str, ...],
    kind: Any,  # noqa: ANN401 - one of the choices
    *,
    every: bool,
    hurry: bool,
) -> "tuple[list[Evidence], Site]":
    from abops.backup.drill.evidence import read_evidence
    from abops.backup.drill.run import next_destination, next_kind
    from abops.backup.postgres.site import load_site, working

    site = load_site(home)
    history = read_evidence(home)
    sources = [place.name for place in working(site, names)]
    if not every and not names:
        sources = [next_destination(sources, history)]
    turns = [
        (name, one)
        for name in sources
        for one in (["latest", "time"] if every else [kind or next_kind(name, history)])
    ]
    return asyncio.run(_drills(home, site, turns, hurry=hurry)), site


async def _drills(
    home: "Home", site: "Site", turns: list[tuple[str, Any]], *, hurry: bool
) -> list["Evidence"]:
    from abops.backup.drill.run import drill
    from abops.kernel.clock import SystemClock

    clock = SystemClock()
    return [await drill(home, site, name, kind, clock, hurry=hurry) for name, kind in turns]


def _over(one: "Evidence", site: "Site") -> bool:
    lost = one.rpo_s
    return one.rto_s > site.targets.rto_s or lost is None or lost > site.targets.rpo_s


def _row(one: "Evidence", site: "Site") -> dict[str, object]:
    from abops.backup.drill.evidence import PHASES

    return {
        "drill": one.id,
        "outcome": one.outcome,
        "rto_s": round(one.rto_s, 1),
        "rto_target_s": site.targets.rto_s,
        "rpo_s": None if one.rpo_s is None else round(one.rpo_s, 1),
        "rpo_target_s": site.targets.rpo_s,
        **{phase: round(one.phases.get(phase, 0.0), 2) for phase in PHASES},
        "tables": one.tables,
    }
