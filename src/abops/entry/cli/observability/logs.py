"""`abops observability logs`: search, compare with the files, keep house."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from abops.entry.cli.output import inventory_option, output_option, show
from abops.kernel.clock import SystemClock
from abops.kernel.errors import OpsError, UsageError

if TYPE_CHECKING:
    from abops.clients.opensearch import OpenSearch
    from abops.observability.logs.search import FoundLine

LOCAL_STORE = "http://127.0.0.1:9200"
F = TypeVar("F", bound=Callable[..., Any])


class LinesMissingError(OpsError):
    """Lines of the files are not in the store."""

    hint = "Send them: abops observability logs reconcile"


class LinesRefusedError(OpsError):
    """The store refuses lines."""

    hint = "The reason is above: a field has another type than the index says."


@click.group()
def group() -> None:
    """Lines of the log store: find them, make sure that all are there, keep it small."""


def _store_option(command: F) -> F:
    return click.option(
        "--logs",
        "url",
        envvar="ABOPS_LOGS_URL",
        help="Address of the log store; the local stack's by default.",
    )(command)


@group.command()
@click.argument("text", default="")
@click.option("--trace", default="", help="Only lines of this trace.")
@click.option("--service", "part", default="", help="Only lines of this part: api, postgres.")
@click.option("--level", default="", help="Only this level and above: warning, error.")
@click.option("--since", default=None, help="How far back: 15m, 4h, 7d; 1h, or all for a trace.")
@click.option("--env", default=None, help="Only this environment.")
@click.option("-n", "size", default=50, show_default=True, type=click.IntRange(1, 1000))
@_store_option
@inventory_option
@output_option
def search(file: Path, url: str | None, output: str, since: str | None, **wanted: Any) -> None:  # noqa: ANN401 - click's own
    """Show lines that hold TEXT, oldest first; words in quotes stand together, -word excludes."""
    from abops.inventory.load import load_inventory
    from abops.observability.logs.search import Query
    from abops.workflows.logs import find

    now = SystemClock().now()
    query = Query(**wanted, since=_since(since, now, trace=wanted["trace"]))
    with _store(url) as store:
        found = find(store, load_inventory(file), query, now)
    lines = found.lines[::-1]
    if output == "json":
        show([{"id": line.id, **line.fields} for line in lines], output)
        return
    show([_row(line) for line in lines], output, columns=("at", "level", "part", "message"))
    more = "" if found.exact else "more than "
    click.echo(f"{len(lines)} of {more}{found.total} lines, found in {found.took_ms} ms", err=True)


def _since(text: str | None, now: datetime, *, trace: str) -> datetime | None:
    from abops.kernel.quantities import parse_duration

    if text is None:
        return None if trace else now - parse_duration("1h")
    return now - parse_duration(text)


def _row(line: "FoundLine") -> dict[str, str]:
    return {"at": line.at, "level": line.level, "part": line.part, "message": line.message}


@group.command()
@click.option("--folder", type=click.Path(path_type=Path), help="The log files; the stack's.")
@click.option("--env", default="local", show_default=True, help="Environment of the files.")
@click.option("--check", "only_check", is_flag=True, help="Send nothing; exit 1 if lines lack.")
@_store_option
@inventory_option
@output_option
def reconcile(  # noqa: PLR0913 - one parameter an option
    file: Path, folder: Path | None, env: str, url: str | None, output: str, *, only_check: bool
) -> None:
    """Count every file against its stream and send what is missing; again changes nothing."""
    from abops.inventory.load import load_inventory
    from abops.workflows.logs import reconcile as compare

    if folder is None:
        from abops.stack.layout import find_layout

        folder = find_layout().logs
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder", hint="Name the folder of the log files.")
    with _store(url) as store:
        counts = list(compare(store, load_inventory(file), folder, env, send=not only_check))
    show(
        [
            {"file": c.file, "stream": c.stream, "lines": c.lines, "stored": c.lines - c.missing}
            | {"missing": c.missing, "sent": c.sent, "refused": len(c.refused)}
            for c in counts
        ],
        output,
    )
    refused = [refusal for count in counts for refusal in count.refused]
    if refused:
        raise LinesRefusedError(f"{len(refused)} lines are refused: {refused[0].reason}")
    missing = sum(count.missing for count in counts)
    if only_check and missing:
        raise LinesMissingError(f"{missing} lines of the files are not in the store")


@group.command()
@_store_option
@inventory_option
def rollover(file: Path, url: str | None) -> None:
    """Do once a day what ILM or ISM would: begin new indices, delete those past their time."""
    from abops.inventory.load import load_inventory
    from abops.workflows.logs import keep_house

    with _store(url) as store:
        done = keep_house(store, load_inventory(file), SystemClock().now())
    for stream in done.roll:
        click.echo(f"rolled over {stream}")
    for name in done.delete:
        click.echo(f"deleted {name}")
    click.echo(
        f"{len(done.roll)} streams rolled over, {len(done.delete)} indices deleted", err=True
    )


@group.command()
@_store_option
@inventory_option
def setup(file: Path, url: str | None) -> None:
    """Give the store its pipeline and template; again changes nothing."""
    from abops.inventory.load import load_inventory
    from abops.workflows.logs import prepare_store

    with _store(url) as store:
        prepare_store(store, load_inventory(file))
    click.echo("pipeline and template are in place", err=True)


@group.command()
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="The log files.")
@click.option("--env", default="local", show_default=True, help="Environment of the files.")
@click.option("--dead-letters", type=click.Path(path_type=Path), required=True)
@click.option("--metrics", type=click.Path(path_type=Path), help="File for node-exporter to read.")
@_store_option
@inventory_option
def keep(file: Path, url: str | None, **place: Any) -> None:  # noqa: ANN401 - click's own
    """Look after the log path until stopped: metrics, the hourly comparison, the daily job."""
    import signal
    import threading

    from abops.inventory.load import load_inventory
    from abops.workflows.log_keeper import LogKeeper, Place

    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: over.set())
    inventory = load_inventory(file)
    with _store(url) as store:
        keeper = LogKeeper(store, inventory, Place(**place), clock=SystemClock(), tell=click.echo)
        keeper.run(over)


@contextmanager
def _store(url: str | None) -> "Iterator[OpenSearch]":
    from abops.clients.opensearch import OpenSearch

    store = OpenSearch(url or _stack_store())
    try:
        yield store
    finally:
        store.close()


def _stack_store() -> str:
    """Return where the local stack's store listens; its port is not always the default."""
    from abops.stack.layout import CheckoutMissingError, find_layout
    from abops.stack.ports import read_ports

    try:
        port = read_ports(find_layout().ports_file).get("opensearch")
    except CheckoutMissingError:
        port = None
    return f"http://127.0.0.1:{port}" if port else LOCAL_STORE
