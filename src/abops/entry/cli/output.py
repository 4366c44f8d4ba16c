"""What commands share: `--inventory FILE`, `--output table|json`, one way to show rows.

A terminal gets a table, a pipe gets tab-separated text, and `--output json` gets one document.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

Row = Mapping[str, Any]
F = TypeVar("F", bound=Callable[..., Any])


def inventory_option(command: F) -> F:
    """Add `--inventory FILE` to a command, as the keyword `file`."""
    return click.option(
        "--inventory",
        "file",
        type=click.Path(path_type=Path),
        default=Path("platform.yaml"),
        show_default=True,
        help="The inventory to read.",
    )(command)


def output_option(command: F) -> F:
    """Add `--output table|json` to a command, as the keyword `output`."""
    return click.option(
        "--output",
        type=click.Choice(["table", "json"]),
        default="table",
        show_default=True,
        help="How to print the result.",
    )(command)


def show(rows: Sequence[Row], output: str, *, columns: Sequence[str] | None = None) -> None:
    """Print `rows`: keys are column names, in the order of `columns` or of the first row."""
    if output == "json":
        click.echo(json.dumps(list(rows), indent=2, default=str))
        return
    names = list(columns or (rows[0] if rows else ()))
    if not sys.stdout.isatty():
        for row in ([dict(zip(names, names, strict=True))] if names else []) + [*map(dict, rows)]:
            click.echo("\t".join(_text(row.get(name)) for name in names))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in names:
        numeric = bool(rows) and all(isinstance(row.get(name), int | float) for row in rows)
        table.add_column(name.replace("_", " "), justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*(_text(row.get(name)) for name in names))
    Console(no_color=bool(os.environ.get("NO_COLOR"))).print(table)


def _text(value: object) -> str:
    return "-" if value is None else str(value)
