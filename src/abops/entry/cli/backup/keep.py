"""Keep a set by name, whatever the policy."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import click

from abops.entry.cli.backup.home import home_option, open_home
from abops.entry.cli.output import output_option, show
from abops.kernel.errors import UsageError

_LONGEST = 80


@click.command("keep")
@click.argument("label")
@home_option
@click.option("--from", "source", metavar="DEST", help="Where it is.  [default: who has it]")
@click.option("--name", default="kept by hand", show_default=True, help="Why, in a few words.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="From that day on as any other.")
@click.option("--drop", is_flag=True, help="Keep it no longer: the policy decides again.")
@output_option
def command(  # noqa: PLR0913 - a set, and how it is kept
    *,
    label: str,
    folder: Path | None,
    source: str | None,
    name: str,
    until: datetime | None,
    output: str,
    drop: bool,
) -> None:
    """Keep the set LABEL and all that it stands on; retention leaves it.

    It keeps the log that makes it consistent, not each later moment. The name is written into
    the destination, so that it outlives this machine.
    """
    from abops.backup.postgres.site import chosen, generations_of, load_site
    from abops.backup.service.keeping import keep, place_with
    from abops.kernel.clock import SystemClock

    if not name.strip() or not name.isprintable() or len(name) > _LONGEST:
        raise UsageError(f"a name has 1 to {_LONGEST} printable characters")
    if until is not None and until.replace(tzinfo=UTC) <= SystemClock().now():
        raise UsageError(f"{until:%Y-%m-%d} is over", hint="Keep it no longer: --drop.")
    home = open_home(folder)
    site = load_site(home)
    asked = chosen(site, (source,) if source else ())
    places = tuple(one for place in asked for one in generations_of(home, place))
    kept_as = "" if drop else name.strip()

    async def find_and_keep() -> None:
        place = await place_with(home, site, places, label)
        one = await keep(home, site, place, label, kept_as, until.date() if until else None)
        show(
            [{"destination": place.name, "label": one.label, "kept_as": one.keep or "-"}],
            output,
        )

    asyncio.run(find_and_keep())
