"""Scenarios of the playbook from the command line, and where their evidence is kept."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from abops.entry.cli.output import show
from abops.kernel.errors import OpsError, UsageError

if TYPE_CHECKING:
    from abops.backup.drill.evidence import Evidence
    from abops.backup.model import Site
    from abops.workflows.recovery.report import Rehearsed, Report
    from abops.workflows.recovery.run import How

EVERY = (1, 2, 3, 4, 5)


class UnmetError(OpsError):
    """A scenario of the playbook is not met."""


def scenario_numbers(words: Sequence[str]) -> tuple[int, ...]:
    """Return the scenarios that are asked for, each once, in order. Raises UsageError."""
    if "all" in words:
        return EVERY
    unknown = [word for word in words if not word.isdigit() or int(word) not in EVERY]
    if unknown:
        raise UsageError(f"no scenario {', '.join(unknown)}", hint="There are 1 to 5, and all.")
    return tuple(sorted({int(word) for word in words}))


def rehearse_all(numbers: tuple[int, ...], how: "How", *, kept: Path | None, output: str) -> None:
    """Rehearse, show, keep. Raises UnmetError when one is not met, also when it was not run."""
    from abops.workflows.recovery.words import all_rows, rows

    try:
        report = asyncio.run(_rehearse(numbers, how))
    except asyncio.CancelledError as error:
        raise UnmetError("it was ended from outside; all of it is cleared away") from error
    show(all_rows(report) if how.trials else rows(report), output)
    _finish(report, kept)


def keep_report(drills: "Sequence[Evidence]", site: "Site", folder: Path) -> None:
    """Keep the drills of a home as scenario 5 of a report."""
    report = asyncio.run(_of_home(drills, site))
    _tell_kept(report, folder)


async def _rehearse(numbers: tuple[int, ...], how: "How") -> "Report":
    from abops.kernel.clock import SystemClock
    from abops.stack.layout import INVENTORY_FILE, find_layout
    from abops.workflows.recovery.playbook import PAGE, read_playbook
    from abops.workflows.recovery.run import rehearse

    root = find_layout().root
    playbook = read_playbook((root / PAGE).read_text())
    platform = root / INVENTORY_FILE
    return await rehearse(playbook, numbers, platform, SystemClock(), how=how, told=_tell)


async def _of_home(drills: "Sequence[Evidence]", site: "Site") -> "Report":
    import os

    from abops.workflows.recovery.report import report_of_drills
    from abops.workflows.recovery.run import machine

    at = await machine(os.getloadavg()[0], site.engine, site.cluster.programs / "postgres")
    return report_of_drills(drills, site, at)


def _tell(one: "Rehearsed") -> None:
    from abops.workflows.recovery.report import MARKS

    click.echo(f"{MARKS[one.outcome]}: scenario {one.number}, {one.title}", err=True)


def _finish(report: "Report", kept: Path | None) -> None:
    from abops.workflows.recovery.words import verdict

    if kept is not None:
        _tell_kept(report, kept)
    if report.unmet:
        raise UnmetError(
            verdict(report),
            hint="; ".join(f"{name}: {why}" for name, _, why in report.unmet)[:1_000],
        )
    click.echo(verdict(report), err=True)


def _tell_kept(report: "Report", folder: Path) -> None:
    from abops.workflows.recovery.keep import keep

    *_, page = keep(report, folder)
    click.echo(f"evidence: {page}", err=True)
