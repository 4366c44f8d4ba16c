"""The programs that the platform runs: list, install, doctor."""

import sys
import threading
from typing import TYPE_CHECKING

import click

from abops.entry.cli.output import output_option, show
from abops.kernel.errors import OpsError, UsageError

if TYPE_CHECKING:
    from abops.stack.tools.install import Result
    from abops.stack.tools.lock import Tool


class ToolsMissingError(OpsError):
    """Tools that are needed are missing."""

    hint = "abops tools doctor says who could provide them."


@click.group()
def group() -> None:
    """Install the programs that the platform runs, and say what is missing."""


def _choose(names: tuple[str, ...], profiles: tuple[str, ...]) -> "list[Tool]":
    from abops.stack.tools.lock import read_lock

    tools = read_lock()
    by_program = {program: tool for tool in tools.values() for program in tool.programs}
    chosen = {}
    for name in names:
        tool = tools.get(name) or by_program.get(name)
        if tool is None:
            raise UsageError(
                f"there is no tool {name!r}", hint="abops tools list names those there are."
            )
        chosen[tool.name] = tool
    for tool in tools.values():
        everything = "all" in profiles or (not names and not profiles)
        if set(tool.profiles) & set(profiles) or (everything and tool.profiles):
            chosen[tool.name] = tool
    return list(chosen.values())


_PROFILE = click.option(
    "--profile",
    "profiles",
    multiple=True,
    type=click.Choice(["check", "up", "logs", "test", "browser", "all"]),
    help="All tools of a profile; may be repeated.",
)


@group.command("list")
@output_option
def list_tools(output: str) -> None:
    """List the tools with what is installed."""
    from abops.stack.tools.cache import read_record
    from abops.stack.tools.lock import kind_of, read_lock

    rows = []
    for tool in read_lock().values():
        record = read_record(tool)
        rows.append(
            {
                "tool": tool.name,
                "wanted": f">= {tool.min}" + (f", < {tool.below}" if tool.below else ""),
                "installed": record and record.version,
                "by": record.provider if record else "",
                "profiles": ",".join(tool.profiles),
                "providers": ", ".join(kind_of(provider) for provider in tool.providers),
            }
        )
    show(rows, output)


@group.command()
@click.argument("names", nargs=-1)
@_PROFILE
@click.option(
    "--provider",
    type=click.Choice(
        [
            *("path", "pypi", "apt-install", "apt-extract", "download"),
            *("go", "maven", "maven-archive", "npm"),
        ]
    ),
    help="Only this provider.",
)
@click.option("--offline", is_flag=True, help="Only what needs no network.")
def install(
    names: tuple[str, ...], profiles: tuple[str, ...], provider: str | None, *, offline: bool
) -> None:
    """Install NAMES, the tools of a profile, or everything that some profile needs."""
    from abops.stack.tools.install import Options, install_all

    turn = threading.Lock()

    def report(name: str, text: str) -> None:
        with turn:
            click.echo(f"  {name:18} {text}", err=True)

    results = install_all(
        _choose(names, profiles),
        Options(provider, offline),
        report,
        lambda result: report(result.tool.name, _outcome(result)),
    )
    ready = [result for result in results if result.record is not None]
    failed = [r.tool.name for r in results if r.record is None and not r.tool.optional]
    if failed:
        raise ToolsMissingError(f"not installed: {', '.join(failed)}")
    click.echo(f"tools: {len(ready)} of {len(results)} ready", err=True)


def _outcome(result: "Result") -> str:
    record = result.record
    if record is not None:
        return f"{record.version}  by {record.provider}  {record.seconds:.1f} s"
    word = "left out (optional)" if result.tool.optional else "missing"
    return f"{word}: {'; '.join(result.reasons)}"


@group.command()
@_PROFILE
@output_option
def doctor(profiles: tuple[str, ...], output: str) -> None:
    """Say what is missing and the one command that helps; exit 1 if a needed tool is missing."""
    from abops.stack.tools.cache import cache_folder, read_record

    tools = _choose((), profiles)
    rows = [
        {
            "tool": tool.name,
            "state": "ok" if record else "left out (optional)" if tool.optional else "missing",
            "version": record and record.version,
            "programs": ", ".join(record.programs.values()) if record else None,
        }
        for tool, record in ((tool, read_record(tool)) for tool in tools)
    ]
    show(rows, output)
    lacking = [row["tool"] for row in rows if row["state"] != "ok"]
    if lacking:
        command = f"abops tools install {' '.join(map(str, lacking))}"
        click.echo(f"cache: {cache_folder()}\nto install: {command}", err=True)
    sys.exit(any(row["state"] == "missing" for row in rows))
