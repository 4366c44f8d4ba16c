"""Options for the address of a server: by default the one of this machine's stack."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from abops.clients.alerts_api import AlertsApi
    from abops.stack.layout import Layout

TOKEN_FILE = "ABOPS_ALERTS_TOKEN_FILE"  # noqa: S105 - the name of a variable

F = TypeVar("F", bound=Callable[..., Any])


service_option = click.option(
    "--service",
    envvar="ABOPS_ALERTS_URL",
    default=lambda: _address("alerts"),
    show_default="the stack's",
    help="Address of the alert service.",
)


def alerts_api(service: str) -> "AlertsApi":
    """Return the alert service's API with the token that opens it.

    The token is read from the file that $ABOPS_ALERTS_TOKEN_FILE names, else from the local
    stack's secrets; those are shown to the stack's own service and to nobody else.
    """
    from abops.clients.alerts_api import AlertsApi

    return AlertsApi(service, token=_token(service))


def _token(service: str) -> str | None:
    if named := os.environ.get(TOKEN_FILE):
        return _read(Path(named))
    layout = _layout()
    if layout is None or service.rstrip("/") != _address("alerts"):
        return None
    path = layout.secrets / "respond"
    return _read(path) if path.is_file() else None


def _read(path: Path) -> str:
    from abops.kernel.errors import UsageError

    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise UsageError(f"the token cannot be read: {path}: {error.strerror}") from error


def _layout() -> "Layout | None":
    from abops.stack.layout import CheckoutMissingError, find_layout

    try:
        return find_layout()
    except CheckoutMissingError:
        return None


def _address(part: str) -> str:
    from abops.stack.ports import DEFAULTS, HOST, read_ports

    layout = _layout()
    chosen = read_ports(layout.ports_file) if layout else {}
    return f"http://{HOST}:{chosen.get(part, DEFAULTS[part])}"


def url_option(name: str, part: str, what: str) -> Callable[[F], F]:
    """Add `--NAME URL`, also as ABOPS_NAME_URL; the default is where the stack has `part`."""
    return click.option(
        f"--{name}",
        envvar=f"ABOPS_{name.upper().replace('-', '_')}_URL",
        default=lambda: _address(part),
        show_default="the stack's",
        help=what,
    )
