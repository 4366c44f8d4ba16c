"""The `abops` command: a table of groups, each loaded when it is called.

`abops --help` loads click and nothing else, so that it answers in a few hundredths of a second.
"""

import sys

import click

from abops.entry.cli.lazy import LazyGroup
from abops.kernel.errors import OpsError

GROUPS = {
    "alerts": "Incidents: serve, list, acknowledge, fire a test alert.",
    "backup": "Backups of the database: make, keep, judge, restore.",
    "demo": "Break things on purpose and show alert, incident, page, recovery.",
    "inventory": "What exists: show, check, print the schema of platform.yaml.",
    "observability": "Rules, routes and exporters: check and test them.",
    "recovery": "Coming back after a loss: rehearse a restore, measure it.",
    "render": "Write every file that follows from platform.yaml.",
    "stack": "The platform on this machine: up, down, status, logs, restart.",
    "tools": "The programs the platform runs: list, install, doctor.",
}


@click.group(
    cls=LazyGroup,
    members=GROUPS,
    package="abops.entry.cli",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option("--verbose", is_flag=True, help="Show the full story of an error.")
@click.version_option(package_name="analyticbot-ops", prog_name="abops")
@click.pass_context
def main(ctx: click.Context, *, verbose: bool) -> None:
    """Run AnalyticBot in production: see, tell, protect, deliver, save."""
    ctx.meta["abops.verbose"] = verbose


def run() -> None:
    """Run the command line; print an error's message and hint, and exit with its code."""
    try:
        main(prog_name="abops")
    except OpsError as error:
        if "--verbose" in sys.argv:
            raise
        click.echo(f"error: {error}\n  hint: {error.hint}", err=True)
        sys.exit(error.exit_code)
