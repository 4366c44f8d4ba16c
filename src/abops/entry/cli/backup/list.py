"""Which backups there are."""

import asyncio
from pathlib import Path

import click

from abops.entry.cli.backup.home import destinations_option, home_option, open_home
from abops.entry.cli.backup.sizes import in_words
from abops.entry.cli.output import output_option, show


@click.command("list")
@home_option
@destinations_option("Only of this destination; may be given again.")
@output_option
def command(folder: Path | None, names: tuple[str, ...], output: str) -> None:
    """List the backups of each destination, of every key that can be read.

    Of one that is away, what is remembered.
    """
    import msgspec

    from abops.backup.postgres.site import chosen, generations_of, load_site
    from abops.backup.service.run import BackupService
    from abops.backup.service.standing import kept
    from abops.kernel.clock import moment

    home = open_home(folder)
    site = load_site(home)
    places = tuple(one for place in chosen(site, names) for one in generations_of(home, place))
    found, away = asyncio.run(kept(BackupService(home, site), places))
    for seen in away:
        click.echo(f"warning: {seen.problem}; shown is what is remembered", err=True)
    if output == "json":
        rows = [{**msgspec.structs.asdict(one.facts), "source": one.source} for one in found]
        show(rows, output)
        return
    show(
        [
            {
                "destination": one.facts.destination,
                "key": one.facts.generation,
                "label": one.facts.label,
                "type": one.facts.type,
                "ended": f"{moment(one.facts.stopped):%Y-%m-%d %H:%M:%S}Z",
                "took": f"{one.facts.stopped - one.facts.started:.0f} s",
                "database": in_words(one.facts.size),
                "stored": in_words(one.facts.repo_size),
                "wal": f"{one.facts.wal_start}..{one.facts.wal_stop[-8:]}",
                "told_by": one.source,
                "note": "page checksums failed" if one.facts.error else _kept(one.facts.keep),
            }
            for one in found
        ],
        output,
    )


def _kept(name: str) -> str:
    return f"kept: {name}" if name else ""
