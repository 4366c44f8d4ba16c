"""Whom an account of Slack, Telegram or PagerDuty belongs to."""

from typing import Final, Literal

from msgspec import Struct
from sqlalchemy import Connection

_RESPONDS: Final = frozenset({"responder", "operator", "admin"})
_COLUMNS: Final = {"slack": "slack", "telegram": "telegram", "pagerduty": "pagerduty"}


class Linked(Struct, frozen=True):
    """A person of this service."""

    name: str
    role: str

    @property
    def responds(self) -> bool:
        """Whether the person may acknowledge."""
        return self.role in _RESPONDS


def linked(
    connection: Connection, via: Literal["slack", "telegram", "pagerduty"], account: str
) -> Linked | None:
    """Return who the account belongs to. None: nobody, or somebody who was shut out."""
    if not account:
        return None
    row = connection.exec_driver_sql(
        f"SELECT name, role FROM principal WHERE {_COLUMNS[via]} = ? AND disabled_at IS NULL",
        (account,),
    ).first()
    return None if row is None else Linked(str(row[0]), str(row[1]))
