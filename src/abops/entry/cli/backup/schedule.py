"""The scheduler of backups, as a process or as one look at the timetable."""

import asyncio
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from abops.entry.cli.backup.cluster import Access, cluster_options
from abops.entry.cli.backup.home import home_option, open_home
from abops.entry.cli.output import output_option, show
from abops.kernel.errors import OpsError

if TYPE_CHECKING:
    from abops.backup.configuration.collect import Sources
    from abops.backup.service.scheduling.scheduler import Ended, Scheduler

METRICS_PORT = 9720
_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)
_FOLDER = click.Path(path_type=Path, file_okay=False, exists=True)


@click.command("schedule")
@home_option
@click.option("--once", is_flag=True, help="Carry out what is due now and end: for a CronJob.")
@click.option(
    "--metrics-port", type=int, default=METRICS_PORT, show_default=True, help="0: no metrics."
)
@click.option("--inventory", type=_FILE, help="Goes into the bundles of configuration.")
@click.option("--rendered", type=_FOLDER, multiple=True, help="So do the files of this folder.")
@click.option("--git", "repositories", type=_FOLDER, multiple=True, help="And this repository.")
@cluster_options
@output_option
def command(  # noqa: PLR0913 - what goes into a bundle is named one by one
    *,
    folder: Path | None,
    once: bool,
    metrics_port: int,
    inventory: Path | None,
    rendered: tuple[Path, ...],
    repositories: tuple[Path, ...],
    kubeconfig: Path | None,
    namespaces: tuple[str, ...],
    output: str,
) -> None:
    """Make backups, verify, rehearse and save by the timetable, until stopped.

    Of several that run for one home, one leads; the others wait for its end. With --once, exit
    code 1 when a run failed, 0 with an empty table when another leads or nothing is due.
    """
    from abops.backup.configuration.collect import Sources, around, object_members
    from abops.backup.service.scheduling.scheduler import Scheduler
    from abops.kernel.clock import SystemClock
    from abops.kernel.logging import configure

    sources: Sources = Sources(inventory=inventory, rendered=rendered, repositories=repositories)
    # Read while we may: the owner of the home need not be able to look there.
    first = asyncio.run(around(sources))
    access = Access.of(kubeconfig, namespaces)
    home = open_home(folder)
    if access:
        access.check()

    async def gather() -> Mapping[str, bytes]:
        objects = object_members(await access.read()) if access else {}
        return {**await _again(sources, first), **objects}

    configure("backup-scheduler")
    scheduler = Scheduler(home, SystemClock(), gather)
    if once:
        _show(asyncio.run(scheduler.once()), output)
        if leader := scheduler.lead.leader():
            click.echo(f"{leader} leads: nothing was begun here", err=True)
    else:
        asyncio.run(_serve(scheduler, metrics_port))


async def _again(sources: "Sources", first: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """Return the parts as they are now; as they were at the start where they are closed to us."""
    from abops.backup.configuration.collect import around
    from abops.backup.configuration.errors import CollectError

    try:
        return await around(sources)
    except CollectError:
        return first


async def _serve(scheduler: "Scheduler", metrics_port: int) -> None:
    from abops.backup.service.scheduling.metrics import serve_metrics

    stop = asyncio.Event()
    for sig in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sig, stop.set)
    with serve_metrics(scheduler, metrics_port):
        await scheduler.serve(stop)


def _show(ended: "tuple[Ended, ...]", output: str) -> None:
    rows = [
        {
            "run": one.run.id,
            "outcome": one.outcome,
            "attempt": one.run.attempt,
            "seconds": round(one.seconds, 1),
            "reason": one.run.reason,
            "told": one.told,
        }
        for one in ended
    ]
    show(rows, output, columns=("run", "outcome", "attempt", "seconds", "reason", "told"))
    failed = [one for one in ended if one.outcome == "failed"]
    if failed:
        hints = dict.fromkeys(one.hint for one in failed if one.hint)
        told = "\n       ".join(f"{one.run.id}: {one.told}" for one in failed)
        raise OpsError(told, hint="\n        ".join(hints))
