"""`abops stack`: the platform on this machine."""

import sys
from typing import TYPE_CHECKING, Any

import click

from abops.entry.cli.output import output_option, show
from abops.kernel.clock import SystemClock
from abops.kernel.errors import OpsError, UsageError
from abops.kernel.quantities import humanize_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abops.stack.keeper import PartStatus
    from abops.stack.layout import Layout

MARKS = {"ready": "✓", "done": "✓", "failed": "●", "restarting": "▲", "waiting": "▲"}
MARKS |= {"starting": "○", "stopped": "○", "missing": "○", "dead": "●", "unsupervised": "▲"}
LAST_LINES = 15


class PartsFailedError(OpsError):
    """Some parts of the stack do not run."""


@click.group()
def group() -> None:
    """The platform on this machine: PostgreSQL to pager, under one supervisor."""


@group.command()
@click.option("--free-ports", is_flag=True, help="On the first start: no default port is taken.")
@click.option(
    "--logs/--no-logs",
    default=None,
    help="With or without searchable logs (OpenSearch, 0.7 GB); as last time by default.",
)
@output_option
def up(*, free_ports: bool, logs: bool | None, output: str) -> None:
    """Start everything that does not run, and wait until it is healthy."""
    from abops.stack.layout import find_layout
    from abops.stack.lifecycle import bring_up

    clock = SystemClock()
    began = clock.monotonic()
    layout = find_layout()
    statuses = bring_up(layout, clock, free_ports=free_ports, logs=logs, report=_progress)
    show(_rows(statuses, output), output)
    bad = [s for s in statuses if s.state not in {"ready", "done"} and not s.optional]
    for status in statuses:
        if status.state == "failed":
            _show_end_of_log(status.part)
        elif status.state == "missing":
            click.echo(f"○ without {status.part}: {status.message}", err=True)
    took = humanize_seconds(clock.monotonic() - began)
    if bad:
        names = ", ".join(s.part for s in bad)
        raise PartsFailedError(
            f"after {took}, {len(bad)} of {len(statuses)} parts do not run: {names}",
            hint=f"The rest is up. `abops stack logs {bad[0].part}`, then `abops stack up` again.",
        )
    console = next((s.url for s in statuses if s.part == "alerts"), "")
    click.echo(f"up after {took}; console {console}; break something: abops demo", err=True)
    _say_how_to_sign_in(layout)


def _say_how_to_sign_in(layout: "Layout") -> None:
    link = layout.data / "alerts" / "first-admin-link"
    if link.is_file():
        click.echo(f"sign in: nobody has yet; the first admin's link is in {link}", err=True)
    else:
        click.echo("sign in: another link comes from abops alerts user invite NAME", err=True)


@group.command()
@click.option("--purge", is_flag=True, help="Remove the data too.")
@click.option("--yes", is_flag=True, help="Do not ask before data is removed.")
def down(*, purge: bool, yes: bool) -> None:
    """Stop everything, PostgreSQL first; no process and no socket is left."""
    from abops.stack import lifecycle
    from abops.stack.layout import find_layout

    clock = SystemClock()
    began = clock.monotonic()
    layout = find_layout()
    if purge and not yes and not click.confirm(f"Remove all data in {layout.state}?", err=True):
        raise UsageError("nothing was done", hint="Pass --yes to remove the data unasked.")
    killed = lifecycle.take_down(layout, told=lambda text: click.echo(text, err=True))
    if purge:
        lifecycle.purge(layout)
    took = humanize_seconds(clock.monotonic() - began)
    notes = f", {killed} had to be killed" if killed else ""
    kept = "its data is removed" if purge else f"data is kept in {layout.state}"
    click.echo(f"down after {took}{notes}; {kept}; start again: abops stack up", err=True)


@group.command()
@output_option
def status(*, output: str) -> None:
    """Show every part, asked for its health now. Exit code 1 when one is not as it should be."""
    from abops.stack.layout import find_layout
    from abops.stack.observe import look

    statuses = look(find_layout())
    show(_rows(statuses, output, health=True), output)
    bad = [s.part for s in statuses if not s.optional and s.healthy is False]
    bad += [s.part for s in statuses if s.state not in {"ready", "done"} and not s.optional]
    if bad or not statuses:
        raise PartsFailedError(
            f"{', '.join(dict.fromkeys(bad))} not healthy" if bad else "the stack is not running",
            hint="Start what does not run with `abops stack up`.",
        )


@group.command()
@click.argument("part", required=False)
@click.option("-n", "lines", default=50, show_default=True, help="How many lines.")
@click.option("--follow", is_flag=True, help="Go on with what is written from now on.")
def logs(part: str | None, *, lines: int, follow: bool) -> None:
    """Show the end of a part's log; without PART, which logs there are."""
    from abops.stack import logs as log_files
    from abops.stack.layout import find_layout

    layout = find_layout()
    known = sorted(path.stem for path in layout.logs.glob("*.log"))
    if part is None:
        show([{"part": n, "bytes": layout.log(n).stat().st_size} for n in known], "table")
        return
    if part not in known:
        raise UsageError(
            f"{part!r} has no log", hint=f"There are {', '.join(known) or 'none yet'}."
        )
    for line in log_files.last_lines(layout.log(part), lines):
        click.echo(line)
    if follow:
        try:
            for text in log_files.follow(layout.log(part)):
                click.echo(text, nl=False)
        except KeyboardInterrupt:
            return


@group.command()
@click.argument("part")
def restart(part: str) -> None:
    """Stop PART and start it again; wait until it is healthy."""
    _do("restart", part)


@group.command()
@click.argument("part")
def start(part: str) -> None:
    """Start PART after `stop`; wait until it is healthy."""
    _do("start", part)


@group.command()
@click.argument("part")
@click.option("--signal", "signal_name", help="Another signal than the part's own: KILL, TERM.")
def stop(part: str, *, signal_name: str | None) -> None:
    """Stop PART and leave it stopped until `start` or `up`."""
    import signal

    number = None
    if signal_name is not None:
        try:
            number = signal.Signals[f"SIG{signal_name.upper().removeprefix('SIG')}"].value
        except KeyError as error:
            raise UsageError(
                f"no signal is called {signal_name!r}", hint="Try KILL, TERM, INT."
            ) from error
    _do("stop", part, number)


def _do(what: str, part: str, signal_number: int | None = None) -> None:
    from abops.stack.control import Request, ask
    from abops.stack.layout import find_layout

    clock = SystemClock()
    began = clock.monotonic()
    request = Request(what, part, signal_number)
    (status,) = ask(find_layout().control_socket, request, timeout_s=180).parts
    took = humanize_seconds(clock.monotonic() - began)
    if what != "stop" and status.state not in {"ready", "done"}:
        _show_end_of_log(part)
        raise PartsFailedError(f"{part} is {status.state}: {status.message}")
    click.echo(f"{_mark(status.state)} {part} {status.state} after {took}", err=True)


def _progress(status: "PartStatus") -> None:
    took = "" if status.seconds is None else humanize_seconds(status.seconds)
    click.echo(f"{_mark(status.state)} {status.state:<9} {status.part:<18} {took}", err=True)


def _rows(
    statuses: "Sequence[PartStatus]", output: str, *, health: bool = False
) -> "list[dict[str, Any]]":
    rows = []
    for status in statuses:
        seconds = None if status.seconds is None else round(status.seconds, 2)
        row: dict[str, Any] = {"part": status.part, "state": status.state, "url": status.url}
        row |= {"seconds": seconds, "restarts": status.restarts}
        if output == "json":
            row |= {"pid": status.pid, "message": status.message, "optional": status.optional}
            row |= {"healthy": status.healthy}
        else:
            row["state"] = f"{_mark(status.state)} {status.state}"
            if health:
                row["healthy"] = {True: "yes", False: "● no", None: "-"}[status.healthy]
            row["note"] = status.message or _waits(status)
        rows.append(row)
    return rows


def _waits(status: "PartStatus") -> str:
    return f"waits for {status.waits_for}" if status.waits_for else ""


def _mark(state: str) -> str:
    return MARKS.get(state, "○")


def _show_end_of_log(part: str) -> None:
    from abops.stack.layout import find_layout
    from abops.stack.logs import last_lines

    lines = last_lines(find_layout().log(part), LAST_LINES)
    if lines:
        click.echo(f"--- last lines of {part}", err=True)
        for line in lines:
            click.echo(f"    {line}", err=True)
        sys.stderr.flush()
