"""Restore a database into a folder: the plan first, then the deed."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from abops.entry.cli.backup.home import home_option, open_home
from abops.entry.cli.output import output_option, show

if TYPE_CHECKING:
    from abops.backup.restore.request import Plan


@click.command("restore")
@home_option
@click.option(
    "--to-dir",
    "to",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the data; it must be empty or missing.",
)
@click.option("--from", "sources", multiple=True, metavar="DEST", help="Ask only these.")
@click.option("--set", "label", default="", help="Begin with this set.  [default: newest before]")
@click.option("--time", help="To a moment, with its offset: 2026-01-31T12:00:00+00:00.")
@click.option("--lsn", help="To a position in the log.")
@click.option("--xid", help="To the end of a transaction.")
@click.option("--name", help="To a named restore point.")
@click.option("--immediate", is_flag=True, help="To the end of the set itself.")
@click.option("--timeline", type=int, help="Along this timeline.  [default: the newest]")
@click.option(
    "--at-state",
    "state",
    metavar="TIME",
    help="Read a store with versions as it was then: before somebody deleted what is in it.",
)
@click.option("--delta", is_flag=True, help="Reuse the files of a stopped cluster in the folder.")
@click.option("--dry-run", is_flag=True, help="Show the plan and stop.")
@click.option("--start", is_flag=True, help="Start it afterwards, on a socket of its own.")
@output_option
def command(  # noqa: PLR0913 - what a point in history can be told by
    *,
    folder: Path | None,
    to: Path,
    sources: tuple[str, ...],
    label: str,
    time: str | None,
    lsn: str | None,
    xid: str | None,
    name: str | None,
    timeline: int | None,
    state: str | None,
    output: str,
    immediate: bool,
    delta: bool,
    dry_run: bool,
    start: bool,
) -> None:
    """Restore the database into a folder; nothing that runs is touched.

    Source, set, log and expected time are shown first. A point that cannot be reached is refused,
    with the last one that can. --at-state reads mirrors with a lock, or those named by --from.
    """
    from abops.backup.postgres.site import load_site
    from abops.backup.restore.bring import Wish, bring, make_plan
    from abops.backup.restore.past import past_of
    from abops.backup.restore.target import read_time, target_of
    from abops.kernel.clock import SystemClock

    target = target_of(time=time, lsn=lsn, xid=xid, name=name, immediate=immediate)
    wish = Wish(
        folder=to.absolute(),
        target=target,
        label=label,
        sources=sources,
        timeline=timeline,
        delta=delta,
        past=past_of(read_time(state), SystemClock().now()) if state else None,
    )
    home = open_home(folder)
    site = load_site(home)
    made = asyncio.run(make_plan(home, site, wish))
    _show_plan(made, output)
    if dry_run:
        return
    record = asyncio.run(bring(home, site, made, SystemClock()))
    click.echo(f"restored in {record.fetch_s:.1f} s: {made.folder}", err=True)
    if start:
        from abops.backup.restore.start import start_apart

        address = asyncio.run(start_apart(site.cluster, made.folder))
        click.echo(f"psql -h {address.folder} -p {address.port} -U {address.user}", err=True)


def _show_plan(made: "Plan", output: str) -> None:
    from abops.backup.restore.target import told

    rows = {
        "source": made.source,
        "set": made.facts.label,
        "target": str(made.target),
        "timeline": made.timeline,
        "log from": f"{made.wal_first} to {made.wal_last} ({made.segments} segments)",
        "log asked of": ", ".join(made.logs),
        "log leads to": told(made.until) if made.until else "the end of the set",
        "expected": f"{made.expected_s:.0f} s" if made.expected_s else "not measured yet",
        "space needed": f"{made.need / 1e6:,.0f} MB",
        "into": str(made.folder) + (" (delta)" if made.delta else ""),
    }
    if made.past is not None:
        rows["as it was"] = str(made.past)
    if made.dead:
        rows["not answering"] = ", ".join(made.dead)
    if output == "json":
        show([{name.replace(" ", "_"): value for name, value in rows.items()}], output)
    else:
        show([{"what": name, "is": value} for name, value in rows.items()], output)
