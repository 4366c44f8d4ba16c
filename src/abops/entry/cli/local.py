"""Options for the address of a server: by default the one of this machine's stack."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


service_option = click.option(
    "--service",
    envvar="ABOPS_ALERTS_URL",
    default="http://127.0.0.1:9600",
    show_default=True,
    help="Address of the alert service.",
)


def url_option(name: str, part: str, what: str) -> Callable[[F], F]:
    """Add `--NAME URL`, also as ABOPS_NAME_URL; the default is where the stack has `part`."""

    def default() -> str:
        from abops.stack.layout import CheckoutMissingError, find_layout
        from abops.stack.ports import DEFAULTS, HOST, read_ports

        try:
            chosen = read_ports(find_layout().ports_file)
        except CheckoutMissingError:
            chosen = {}
        return f"http://{HOST}:{chosen.get(part, DEFAULTS[part])}"

    return click.option(
        f"--{name}",
        envvar=f"ABOPS_{name.upper().replace('-', '_')}_URL",
        default=default,
        show_default="the stack's",
        help=what,
    )
