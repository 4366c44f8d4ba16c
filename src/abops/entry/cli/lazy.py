"""A group of commands from a table, each imported when it is called.

Listing the commands loads click and nothing else, so that help comes in hundredths of a second.
"""

import importlib
from collections.abc import Mapping
from typing import Any

import click


class LazyGroup(click.Group):
    """A group whose members are modules of one package.

    `members` maps a command's name to its line of help. The command is the attribute `group` or
    `command` of `package.<name>`, with underscores for hyphens.
    """

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 (what click takes)
        package: str,
        members: Mapping[str, str],
        **options: Any,  # noqa: ANN401 (what click takes)
    ) -> None:
        super().__init__(*args, **options)
        self._package = package
        self._members = members

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names from the table, without importing anything."""
        del ctx
        return sorted(self._members)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of that name and return its command."""
        del ctx
        if cmd_name not in self._members:
            return None
        module = importlib.import_module(f"{self._package}.{cmd_name.replace('-', '_')}")
        command: click.Command = module.group if hasattr(module, "group") else module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the members from the table; the default would import every one of them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(sorted(self._members.items()))
