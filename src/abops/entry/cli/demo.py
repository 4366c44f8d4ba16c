"""`abops demo`: break things on purpose and show that people are told."""

import signal
from contextlib import nullcontext
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from abops.entry.cli.output import output_option, show
from abops.kernel.clock import SystemClock
from abops.kernel.errors import OpsError
from abops.kernel.quantities import humanize_seconds

if TYPE_CHECKING:
    from abops.kernel.clock import Clock
    from abops.stack.keeper import PartStatus
    from abops.stack.site import Site
    from abops.workflows.demo import Result

GOAL_S = 30.0


class PageMissingError(OpsError):
    """A page that should have arrived did not."""

    hint = "Look at the incident in the console, and at `abops stack logs alerts`."


@click.command()
@click.option("--fault", "names", multiple=True, help="Only this fault; may be repeated.")
@click.option("--rounds", default=1, show_default=True, type=click.IntRange(1, 100))
@output_option
def group(names: tuple[str, ...], *, rounds: int, output: str) -> None:
    """Break things on purpose; show alert, incident, page, recovery, with seconds.

    Then a table is lost and restored from its backup. Exits 0 only when every expected page
    arrived and every row came back.
    """
    from abops.workflows.demo import Demonstration
    from abops.workflows.demo_channels import CHANNELS
    from abops.workflows.demo_faults import FAULTS, find_fault
    from abops.workflows.demo_loss import NAME as LOSS
    from abops.workflows.demo_setting import aftermath_silenced, set_the_scene

    faults = [find_fault(name) for name in names if name != LOSS] or ([] if names else list(FAULTS))
    signal.signal(signal.SIGTERM, _interrupt)
    clock = SystemClock()
    began = clock.monotonic()
    scene = set_the_scene(clock, report=_progress)
    demonstration = Demonstration(scene.observers, scene.injector, clock, tell=_tell)
    results = []
    with aftermath_silenced(scene, clock) if faults else nullcontext():
        for round_ in range(1, rounds + 1):
            for fault in faults:
                click.echo(f"\n{fault.name} (round {round_} of {rounds})", err=True)
                results.append(demonstration.run(fault, round_=round_))
    rows = [_row(result, output) for result in results]
    missing = [f"{r.fault}: {_lacks(r)}" for r in results if not r.complete]
    if not names:
        for name, channel, send in CHANNELS:
            at = send(scene.site, scene.observers, clock)
            _tell(f"{name}: {channel} {'has it' if at is not None else 'got nothing'}", at)
            rows.append({"fault": name, channel: _rounded(at)})
            missing += [] if at is not None else [f"{name}: {channel}"]
    if not names or LOSS in names:
        rows += _lose(scene.site, clock)
    show(_aligned(rows), output)
    if missing:
        raise PageMissingError(f"did not arrive: {'; '.join(missing)}")
    took = humanize_seconds(clock.monotonic() - began)
    pages = [page for r in results if (page := r.slowest_page_s) is not None]
    if pages:
        slowest = humanize_seconds(max(pages))
        click.echo(
            f"every page arrived, the slowest after {slowest} (goal < {GOAL_S:g} s); took {took}; "
            f"what people saw: {scene.site.url('channels-inbox')}",
            err=True,
        )
    if faults:
        click.echo("alerts that the demonstration does not show stay silent for 2 h", err=True)


def _lose(site: "Site", clock: "Clock") -> list[dict[str, Any]]:
    """Lose a table and have it back; nothing where the stack makes no backups."""
    from abops.workflows.demo_loss import NAME, Loss, can_lose

    click.echo(f"\n{NAME}", err=True)
    if not can_lose(site):
        _tell("this stack makes no backups: nothing is put at stake", None)
        return []
    back = Loss(site, clock, tell=_tell).run()
    return [
        {
            "fault": NAME,
            "rows": back.rows,
            "rows_lost": back.lost,
            "backup_s": _rounded(back.backup_s),
            "restored_s": _rounded(back.restored_s),
            "back_s": _rounded(back.returned_s),
        }
    ]


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt  # so that a fault is taken back on the way out


def _progress(status: "PartStatus") -> None:
    click.echo(f"{status.state:<9} {status.part}", err=True)


def _tell(what: str, seconds: float | None) -> None:
    mark = "●" if seconds is None else " "
    took = "" if seconds is None else f"{seconds:6.1f} s"
    click.echo(f"  {mark} {took:>8}  {what}", err=True)


def _row(result: "Result", output: str) -> dict[str, Any]:
    row: dict[str, Any] = {"fault": result.fault, "round": result.round, "alert": result.alert}
    row |= {"alert_s": _rounded(result.alert_s), "incident_s": _rounded(result.incident_s)}
    row |= {channel: _rounded(at) for channel, at in result.channels_s.items()}
    row |= {
        "alert_over": _rounded(result.alert_resolved_s),
        "incident_over": _rounded(result.incident_resolved_s),
        "page_over": _rounded(result.page_resolved_s),
    }
    if output == "json":
        row |= {"incident": result.incident, "complete": result.complete}
    return row


def _aligned(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    names = list(dict.fromkeys(name for row in rows for name in row))
    return [{name: row.get(name) for name in names} for row in rows]


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def _lacks(result: "Result") -> str:
    parts = {"alert": result.alert_s, "incident": result.incident_s, **result.channels_s}
    parts |= {"alert resolved": result.alert_resolved_s}
    parts |= {"incident resolved": result.incident_resolved_s, "resolve": result.page_resolved_s}
    return ", ".join(name for name, at in parts.items() if at is None)
