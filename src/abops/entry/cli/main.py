"""The `abops` command: a table of groups, each loaded when it is called.

`abops --help` loads click and nothing else, so that it answers in a few hundredths of a second.
"""

import importlib
import sys

import click

from abops.kernel.errors import OpsError

GROUPS = {
    "alerts": "Incidents: serve, list, acknowledge, fire a test alert.",
    "demo": "Break things on purpose and show alert, incident, page, recovery.",
    "inventory": "What exists: show, check, print the schema of platform.yaml.",
    "observability": "Rules, routes and exporters: check and test them.",
    "render": "Write every file that follows from platform.yaml.",
    "stack": "The platform on this machine: up, down, status, logs, restart.",
    "tools": "The programs the platform runs: list, install, doctor.",
}


class LazyGroups(click.Group):
    """A group whose members are imported by name when one of them is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names from the table, without importing anything."""
        del ctx
        return sorted(GROUPS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of that name and return its `group`."""
        del ctx
        if cmd_name not in GROUPS:
            return None
        module = importlib.import_module(f"abops.entry.cli.{cmd_name}")
        command: click.Command = module.group
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the groups from the table; the default would import every one of them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(sorted(GROUPS.items()))


@click.group(cls=LazyGroups, context_settings={"help_option_names": ["-h", "--help"]})
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
