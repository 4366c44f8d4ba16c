"""Whether what was kept can be restored."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from abops.entry.cli.backup.home import destinations_option, home_option, open_home
from abops.entry.cli.output import output_option, show
from abops.kernel.errors import OpsError

if TYPE_CHECKING:
    from abops.backup.model import Destination, Home, Site
    from abops.backup.store.records import Check


class DamageMissedError(OpsError):
    """The verification does not find what was planted."""

    hint = "Do not trust it before that is mended; the row says what was planted where."


class DamageFoundError(OpsError):
    """Something critical was found."""

    hint = "abops backup run --type full makes a new chain; see the runbook BackupVerifyFailed."


@click.command("verify")
@home_option
@destinations_option("Only this destination (repeatable).")
@click.option("--deep", is_flag=True, help="Read every object of every set once more ourselves.")
@click.option("--validate", is_flag=True, help="Plant damage in a copy: is each kind found?")
@output_option
def command(
    *, folder: Path | None, names: tuple[str, ...], output: str, deep: bool, validate: bool
) -> None:
    """Verify what the destinations hold: objects, log without holes, copies that agree.

    Ends with 1 when something critical was found. The engine's own exit code says nothing.
    """
    home = open_home(folder)
    from abops.backup.postgres.site import chosen, load_site
    from abops.backup.service.verifying import Verification

    site = load_site(home)
    checks = asyncio.run(Verification(home, site).verify(chosen(site, names), deep=deep))
    if not (validate and output == "json"):  # one document: that of the damages
        show([_row(one, output) for one in checks], output)
    if output == "table":
        for one in checks:
            for each in one.findings:
                click.echo(f"{one.destination}: {each.severity}: {each.message}", err=True)
    failed = [one.destination for one in checks if one.outcome == "failed"]
    if failed:
        raise DamageFoundError(f"{', '.join(failed)}: not everything is whole")
    if validate:
        _validate(home, site, chosen(site, names), output)


def _row(check: "Check", output: str) -> dict[str, object]:
    findings = [
        {"severity": each.severity, "code": each.code, "message": each.message}
        for each in check.findings
    ]
    return {
        "destination": check.destination,
        "outcome": check.outcome,
        "invalid_objects": check.invalid_objects,
        "gap_segments": check.gap_segments,
        "owed_segments": check.owed_segments,
        "seconds": round(check.ended - check.started, 1),
        "findings": findings if output == "json" else len(findings),
    }


def _validate(home: "Home", site: "Site", places: "tuple[Destination, ...]", output: str) -> None:
    import msgspec

    from abops.backup.service.validating import validate

    async def everywhere() -> list[dict[str, object]]:
        return [
            {**msgspec.structs.asdict(one), "seconds": round(one.seconds, 1)}
            for place in places
            for one in await validate(home, site, place)
        ]

    rows = asyncio.run(everywhere())
    show(rows, output)
    missed = [f"{row['destination']}: {row['damage']}" for row in rows if not row["found"]]
    if missed:
        raise DamageMissedError(f"not found: {'; '.join(missed)}")
