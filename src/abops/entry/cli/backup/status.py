"""How the protection stands."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from abops.entry.cli.backup.home import destinations_option, home_option, open_home
from abops.entry.cli.backup.sizes import in_words
from abops.entry.cli.output import output_option, show
from abops.kernel.errors import OpsError

if TYPE_CHECKING:
    from datetime import datetime

    from abops.backup.model import Site
    from abops.backup.service.standing import Standing


@click.command("status")
@home_option
@destinations_option("Only this destination; may be given again.")
@output_option
def command(folder: Path | None, names: tuple[str, ...], output: str) -> None:
    """Show for each destination what it holds and how fresh that is; exit 1 when one is away."""
    import msgspec

    from abops.backup.postgres.site import chosen, load_site
    from abops.backup.service.run import BackupService
    from abops.backup.service.standing import standing
    from abops.kernel.clock import SystemClock

    home = open_home(folder)
    site = load_site(home)
    found = asyncio.run(standing(BackupService(home, site), chosen(site, names)))
    if output == "json":
        show([msgspec.structs.asdict(one) for one in found], output)
    else:
        now = SystemClock().now()
        show([_row(one, now) for one in found], output)
        _tell_shift(site, now)
    away = [one for one in found if one.state == "away"]
    if away:
        hints = dict.fromkeys(one.hint for one in away if one.hint)
        told = "\n       ".join(one.detail for one in away)
        raise OpsError(told, hint="\n        ".join(hints))


def _tell_shift(site: "Site", now: "datetime") -> None:
    """Say that a failover stands: nobody is to find out by chance."""
    from abops.backup.service.standing import age_s
    from abops.kernel.quantities import humanize_seconds

    if site.shift is None:
        return
    since = humanize_seconds(age_s(site.shift.at, now) or 0.0)
    gone = ", ".join(sorted(site.away)) or "nobody"
    click.echo(
        f"a failover stands since {since}: {site.lead} leads, given up: {gone}; "
        f"back: abops backup failback {next(iter(sorted(site.away)), site.shift.before)}",
        err=True,
    )


def _row(one: "Standing", now: "datetime") -> dict[str, Any]:
    from abops.backup.service.standing import age_s
    from abops.kernel.quantities import humanize_seconds

    def ago(moment_s: float | None) -> str:
        age = age_s(moment_s, now)
        return "never" if age is None else f"{humanize_seconds(age)} ago"

    return {
        "destination": one.destination,
        "key": one.generation,
        "state": one.state,
        "last_full": ago(one.last_full),
        "last_backup": ago(one.last),
        "sets": one.sets,
        "stored": in_words(one.stored),
        "wal_to": one.wal_to or "-",
        "last_run": one.last_run or "-",
        "detail": one.detail if one.state == "running" else "",
    }
