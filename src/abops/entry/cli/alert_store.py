"""The options that say where the alert service keeps what it knows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

_store = click.option(
    "--store",
    metavar="URL",
    help="PostgreSQL that replicas share: postgresql://USER@HOST/DATABASE, never with a password."
    " Without it and the next one: SQLite in --data-dir.",
)
_store_file = click.option(
    "--store-file",
    type=click.Path(path_type=Path),
    envvar="ABOPS_ALERTS_STORE_FILE",
    help="File with that address, password included; or put it into $ABOPS_ALERTS_STORE.",
)


def store_options(command: F) -> F:
    """Add both options."""
    return _store(_store_file(command))
