"""Whether what was kept can be restored."""

import asyncio
from pathlib import Path

import click

from abops.entry.cli.backup.home import destinations_option, home_option, open_home
from abops.entry.cli.output import output_option, show
from abops.kernel.errors import OpsError


class DamageFoundError(OpsError):
    """Something critical was found."""

    hint = "abops backup run --type full makes a new chain; see the runbook BackupVerifyFailed."


@click.command("verify")
@home_option
@destinations_option("Only this destination (repeatable).")
@click.option("--deep", is_flag=True, help="Read every object of every set once more ourselves.")
@output_option
def command(*, folder: Path | None, names: tuple[str, ...], output: str, deep: bool) -> None:
    """Verify what the destinations hold: objects, log without holes, copies that agree.

    Ends with 1 when something critical was found. The engine's own exit code says nothing.
    """
    home = open_home(folder)
    from abops.backup.postgres.site import chosen, load_site
    from abops.backup.service.verifying import Verification

    site = load_site(home)
    checks = asyncio.run(Verification(home, site).verify(chosen(site, names), deep=deep))
    show(
        [
            {
                "destination": one.destination,
                "outcome": one.outcome,
                "invalid_objects": one.invalid_objects,
                "gap_segments": one.gap_segments,
                "owed_segments": one.owed_segments,
                "seconds": round(one.ended - one.started, 1),
                "findings": [
                    {"severity": each.severity, "code": each.code, "message": each.message}
                    for each in one.findings
                ]
                if output == "json"
                else len(one.findings),
            }
            for one in checks
        ],
        output,
    )
    if output == "table":
        for one in checks:
            for each in one.findings:
                click.echo(f"{one.destination}: {each.severity}: {each.message}", err=True)
    failed = [one.destination for one in checks if one.outcome == "failed"]
    if failed:
        raise DamageFoundError(f"{', '.join(failed)}: not everything is whole")
