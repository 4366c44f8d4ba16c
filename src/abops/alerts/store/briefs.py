"""Incidents in short: what lists are sorted, counted and searched by, and no more.

With five thousand open, reading each in full costs more than the rest of the page; so lists look
at all of them in short, and read those they show in full.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Connection

from abops.alerts.model import IncidentState, Severity
from abops.kernel.clock import moment

_COLUMNS: Final = (
    "number, title, state, severity, service, env, alerts, opened_at, acked_at, resolved_at"
)
_GROUPS: Final = ("state <> 'resolved'", "state = 'resolved'")


class Brief(Struct, frozen=True):
    """An incident in short."""

    number: int
    title: str
    state: IncidentState
    severity: Severity
    service: str
    env: str
    alerts: int
    opened_at: datetime
    acked_at: datetime | None
    resolved_at: datetime | None


def briefs(connection: Connection, *, limit: int) -> tuple[Brief, ...]:
    """Return incidents in short: unresolved ones first, in each group the newest first."""
    found: list[Brief] = []
    for condition in _GROUPS:
        rows = connection.exec_driver_sql(
            f"SELECT {_COLUMNS} FROM incident WHERE {condition}"
            " AND shape <> 'candidate' ORDER BY number DESC LIMIT ?",
            (limit - len(found),),
        )
        found.extend(_brief(row) for row in rows)
    return tuple(found)


def _brief(row: Sequence[Any]) -> Brief:
    number, title, state, severity, service, env, alerts, opened, acked, resolved = row
    times = moment(opened), _maybe(acked), _maybe(resolved)
    return Brief(number, title, state, severity, service, env, alerts, *times)


def _maybe(seconds: float | None) -> datetime | None:
    return None if seconds is None else moment(seconds)
