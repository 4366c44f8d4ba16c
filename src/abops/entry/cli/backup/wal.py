"""The archiver of the write-ahead log: serve it, see what is owed, have it paid."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from abops.entry.cli.backup.home import destinations_option, home_option, open_home
from abops.entry.cli.output import output_option, show
from abops.kernel.errors import OpsError

if TYPE_CHECKING:
    from abops.backup.wal.place import View

METRICS_PORT = 9721
_LOOK_EVERY_S = 0.2
_ASK_EVERY_S = 2.0
"""A destination that comes back fails now and then before it is well."""


class OwedError(OpsError):
    """Destinations lack segments."""

    hint = "See the reason with abops backup wal status; abops backup doctor looks further."


@click.group()
def group() -> None:
    """The write-ahead log on its way to the destinations."""


@group.command()
@home_option
@click.option(
    "--metrics-port", type=int, default=METRICS_PORT, show_default=True, help="0: no metrics."
)
def serve(*, folder: Path | None, metrics_port: int) -> None:
    """Take segments from PostgreSQL until stopped. One runs for each home, as its owner.

    PostgreSQL's archive_command is `HOME/bin/pgbackrest-wal push %p`, its restore_command
    `HOME/bin/pgbackrest-wal get %f %p [DESTINATION...]`.
    """
    # Before the change of user: what lies where the owner cannot look is loaded now.
    from abops.backup.postgres.site import load_site
    from abops.backup.wal.serve import serve as run
    from abops.kernel.logging import configure

    home = open_home(folder)
    configure("backup-archiver")
    asyncio.run(run(home, load_site(home), metrics_port=metrics_port or None))


@group.command()
@home_option
@output_option
def status(*, folder: Path | None, output: str) -> None:
    """Show each destination: whether it answers, what is owed. Exit code 1 without archiver."""
    from abops.backup.wal.asking import ask_status

    now = ask_status(open_home(folder))
    show([_row(view, output) for view in now.destinations], output)
    if output == "table":
        p95 = "none yet" if now.p95_ms is None else f"95 of 100 within {now.p95_ms:g} ms"
        click.echo(f"segments answered: {p95}; {now.owed_bytes} bytes are owed", err=True)


@group.command()
@home_option
@destinations_option("Only to these destinations.")
@click.option(
    "--timeout", "timeout_s", type=float, default=60.0, show_default=True, help="Seconds."
)
def drain(*, folder: Path | None, names: tuple[str, ...], timeout_s: float) -> None:
    """Have what is owed pushed now, and wait for the end of it."""
    from abops.backup.wal.asking import ask_drain, ask_status
    from abops.kernel.clock import SystemClock

    home, clock = open_home(folder), SystemClock()
    ask_drain(home, names)
    asked = clock.monotonic()
    deadline = asked + timeout_s
    while left := [
        view
        for view in ask_status(home).destinations
        if view.owed and (not names or view.destination in names)
    ]:
        if clock.monotonic() > deadline:
            told = "; ".join(
                f"{v.destination}: {v.owed} owed, {v.error or 'going on'}" for v in left
            )
            raise OwedError(f"after {timeout_s:g} s: {told}")
        if clock.monotonic() - asked > _ASK_EVERY_S:
            ask_drain(home, names)
            asked = clock.monotonic()
        asyncio.run(asyncio.sleep(_LOOK_EVERY_S))
    click.echo("nothing is owed", err=True)


def _row(view: "View", output: str) -> dict[str, Any]:
    import msgspec

    from abops.kernel.clock import moment
    from abops.kernel.quantities import humanize_seconds

    if output == "json":
        return msgspec.structs.asdict(view)
    return {
        "destination": view.destination,
        "state": "✓ up" if view.up else "● down",
        "owed": view.owed,
        "oldest": humanize_seconds(view.oldest_owed_s) if view.owed else "-",
        "last_push": view.last_push or "-",
        "at": moment(view.last_push_at).strftime("%H:%M:%S") if view.last_push else "-",
        "p95_ms": view.p95_ms,
        "conflicts": view.conflicts,
        "dropped": view.gaps,
        "error": view.error or "-",
    }
