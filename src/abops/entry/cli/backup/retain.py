"""Remove what the policy lets go; `expire` is the same command by the engine's word."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from abops.entry.cli.backup.home import destinations_option, home_option, open_home
from abops.entry.cli.output import output_option, show
from abops.kernel.errors import OpsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abops.backup.model import Destination
    from abops.backup.service.retaining import Retained, RetentionService


@click.command("retain")
@home_option
@destinations_option("Only here; may be given again.")
@click.option("--dry-run", is_flag=True, help="Show what stays and what would go, each with why.")
@output_option
def command(*, folder: Path | None, names: tuple[str, ...], output: str, dry_run: bool) -> None:
    """Verify each destination, then remove what the policy lets go.

    Nothing goes that is not in the plan, nothing at all where the engine would remove something
    else, and never the newest verified full set.
    """
    from abops.backup.postgres.site import chosen, load_site
    from abops.backup.service.retaining import RetentionService

    home = open_home(folder)
    site = load_site(home)
    service = RetentionService(home, site)
    found = asyncio.run(_everywhere(service, chosen(site, names), dry_run=dry_run))
    _show(found, output, each_set=dry_run)
    if output == "table":
        for one in found:
            _tell_promise(one)
    failed = [one for one in found if one.outcome == "failed"]
    if failed:
        hints = dict.fromkeys(one.hint for one in failed if one.hint)
        told = "\n       ".join(one.error for one in failed)
        raise OpsError(told, hint="\n        ".join(hints))


async def _everywhere(
    service: "RetentionService", places: "Sequence[Destination]", *, dry_run: bool
) -> "list[Retained]":
    from abops.backup.service.lock import RunHeldError
    from abops.backup.service.retaining import Retained

    found = []
    for place in places:
        try:
            found.append(await (service.plan(place) if dry_run else service.run(place)))
        except RunHeldError as error:
            found.append(
                Retained(
                    destination=place.name,
                    generation=place.generation,
                    outcome="failed",
                    error=str(error),
                    hint=error.hint,
                )
            )
    return found


def _tell_promise(one: "Retained") -> None:
    """Say which points can be returned to, and what is not as the policy has it."""
    from abops.kernel.clock import moment

    if one.promised is None:
        return
    oldest = one.promised.oldest_recoverable
    since = f"each point since {moment(oldest):%Y-%m-%d %H:%M} UTC" if oldest else "no point yet"
    told = [f"{one.destination}: {since} can be returned to"]
    for word, labels in (("gone", one.promised.gone), ("overdue", one.promised.overdue)):
        if labels:
            told.append(f"{word} against the policy: {', '.join(labels)}")
    click.echo("; ".join(told), err=True)


def _show(found: "list[Retained]", output: str, *, each_set: bool) -> None:
    import msgspec

    if output == "json":
        show([msgspec.to_builtins(one) for one in found], output)
        return
    if each_set:
        show(
            [
                {
                    "destination": one.destination,
                    "key": one.generation,
                    "label": fate.label,
                    "type": fate.type,
                    "fate": "stays" if fate.keep else "goes",
                    "because": fate.reason,
                }
                for one in found
                for fate in one.fates
            ],
            output,
        )
        return
    show(
        [
            {
                "destination": one.destination,
                "key": one.generation,
                "outcome": one.outcome,
                "sets": len(one.removed),
                "segments": one.segments,
                "ended": ", ".join(one.ended) or "-",
                "removed": ", ".join(one.removed) or "-",
                "because": one.error or one.reason,
            }
            for one in found
        ],
        output,
    )
