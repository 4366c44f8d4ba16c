"""`abops alerts user` and `token`: who may do what, straight in the service's database.

They work while the service runs and while it does not, for whoever may read its data folder;
that is how somebody gets in again when every password is lost.
"""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from abops.entry.cli.local import service_option
from abops.entry.cli.output import output_option, show
from abops.kernel.clock import moment
from abops.kernel.errors import UsageError

if TYPE_CHECKING:
    from abops.alerts.access.person import Person
    from abops.alerts.model import Actor
    from abops.alerts.service.access import Access

ROLES = ("viewer", "responder", "operator", "admin")
SCOPES = ("ingest", "read", "respond")

data_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    envvar="ABOPS_ALERTS_DATA",
    show_default="the stack's",
    help="The alert service's data folder.",
)


class DataMissingError(UsageError):
    """There is no alert service's database there."""

    hint = "Start the service once, or name its folder: --data-dir DIR."


@contextmanager
def _opened(folder: Path | None) -> Iterator["Access"]:
    from abops.alerts.service.access import Access
    from abops.alerts.store.place import place_of
    from abops.stack.layout import find_layout

    folder = folder or find_layout().data / "alerts"
    place = place_of(folder)
    if not place.exists:
        raise DataMissingError(f"there is no {place.path}")
    access = Access(folder, place=place)
    access.open()
    try:
        yield access
    finally:
        access.close()


def _me() -> "Actor":
    from abops.alerts.model import Actor

    return Actor(getpass.getuser(), "cli")


@click.group()
def user() -> None:
    """People who may sign in: invite, list, change roles, lock out."""


@user.command("invite")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), help="What they may do. New people: viewer.")
@data_option
@service_option
def invite(name: str, role: str | None, data_dir: Path | None, service: str) -> None:
    """Print a link with which NAME chooses a password: it opens once, for a day."""
    from abops.alerts.service.access import link

    with _opened(data_dir) as access:
        secret = access.invite(name, role, _me())
    click.echo(link(service, secret))


@user.command("list")
@data_option
@output_option
def list_people(data_dir: Path | None, output: str) -> None:
    """List who may sign in."""
    with _opened(data_dir) as access:
        linked = access.linking.accounts()
        rows = [
            {
                "name": one.name,
                "role": one.role,
                "state": _state(one),
                "since": _moment(one.created_at),
                "accounts": ", ".join(f"{v} {a}" for v, a in linked.get(one.name, {}).items()),
            }
            for one in access.people()
        ]
    show(rows, output, columns=("name", "role", "state", "since", "accounts"))


@user.command("role")
@click.argument("name")
@click.argument("role", type=click.Choice(ROLES))
@data_option
def change_role(name: str, role: str, data_dir: Path | None) -> None:
    """Give NAME another role."""
    with _opened(data_dir) as access:
        access.change_role(name, role, _me())
    click.echo(f"{name} is {role}")


@user.command()
@click.argument("name")
@data_option
def disable(name: str, data_dir: Path | None) -> None:
    """Let NAME in no more and end their sessions."""
    with _opened(data_dir) as access:
        access.disable(name, _me())
    click.echo(f"{name} is out")


@user.command()
@click.argument("name")
@data_option
def enable(name: str, data_dir: Path | None) -> None:
    """Let NAME in again."""
    with _opened(data_dir) as access:
        access.enable(name, _me())
    click.echo(f"{name} may sign in")


@user.command("link")
@click.argument("name")
@click.option("--slack", help="Slack's member id: U0ABC123.")
@click.option("--telegram", help="Telegram's user id: 123456789.")
@click.option("--pagerduty", help="PagerDuty's user id: PABC123.")
@data_option
def link_account(name: str, data_dir: Path | None, **accounts: str | None) -> None:
    """Link accounts of NAME, so that what they press in the chats counts as theirs.

    Without an account it prints a code: said to the bot (`/link CODE` in Telegram, `/abops link
    CODE` in Slack) within ten minutes, it links the account that said it.
    """
    named = {via: account for via, account in accounts.items() if account is not None}
    with _opened(data_dir) as access:
        for via, account in named.items():
            access.linking.link(name, via, account, _me())
            click.echo(f"{account} of {via} is {name}'s")
        if not named:
            click.echo(access.linking.code(name, _me()))


@user.command("unlink")
@click.argument("name")
@click.argument("via", type=click.Choice(("slack", "telegram", "pagerduty")))
@data_option
def unlink_account(name: str, via: str, data_dir: Path | None) -> None:
    """Let what is pressed with NAME's account of VIA count no more."""
    with _opened(data_dir) as access:
        access.linking.unlink(name, via, _me())
    click.echo(f"{name} has no account of {via}")


@click.group()
def token() -> None:
    """Tokens of programs: create, list, revoke."""


@token.command("create")
@click.argument("name")
@click.option("--scope", type=click.Choice(SCOPES), required=True, help="What it opens.")
@click.option("--days", type=click.FloatRange(min=0.01), help="How long. Default: until revoked.")
@data_option
def create_token(name: str, scope: str, days: float | None, data_dir: Path | None) -> None:
    """Print a new token NAME. It is shown this once."""
    with _opened(data_dir) as access:
        secret = access.add_token(name, scope, _me(), days=days)
    click.echo(secret)


@token.command("list")
@data_option
@output_option
def list_tokens(data_dir: Path | None, output: str) -> None:
    """List the tokens, without what could be used."""
    with _opened(data_dir) as access:
        found = access.tokens()
    rows = [
        {
            "name": row["name"],
            "scope": row["scope"],
            "by": row["created_by"],
            "created": _moment(row["created_at"]),
            "used": _moment(row["used_at"]),
            "expires": _moment(row["expires_at"]),
            "revoked": _moment(row["revoked_at"]),
        }
        for row in found
    ]
    show(rows, output, columns=("name", "scope", "by", "created", "used", "expires", "revoked"))


@token.command()
@click.argument("name")
@data_option
def revoke(name: str, data_dir: Path | None) -> None:
    """End the token NAME at once."""
    with _opened(data_dir) as access:
        access.revoke(name, _me())
    click.echo(f"{name} opens nothing any more")


def _state(one: "Person") -> str:
    if one.disabled_at:
        return "out"
    return "may sign in" if one.has_password else "invited"


def _moment(seconds: float | None) -> str:
    return "" if seconds is None else f"{moment(seconds):%Y-%m-%d %H:%M}"
