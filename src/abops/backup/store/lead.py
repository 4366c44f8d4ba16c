"""Who leads: a row that says who and until when, taken and renewed in one transaction.

A lock of the operating system would stay with a leader that hangs; this lead runs out. Each
change of hands has a higher term, so that whoever slept through the end of his own finds out
before he acts.
"""

from typing import Final

from msgspec import Struct
from sqlalchemy import Connection, and_, select, update

from abops.backup.store.entries import upsert
from abops.backup.store.schema import lead

_AHEAD: Final = 2.0
"""Clocks of two schedulers differ by less than this many times the validity."""


class Lead(Struct, frozen=True):
    """The lead over something."""

    name: str
    holder: str
    term: int
    until: float


def take(
    connection: Connection, name: str, holder: str, *, now: float, valid_s: float
) -> Lead | None:
    """Take the lead if nobody has it, renew one's own; None while somebody else has it."""
    current = leader(connection, name)
    if current is not None and current.until > now + _AHEAD * valid_s:
        # Taken by a clock that ran ahead: nobody may lock the others out for longer than it is
        # valid. A higher term tells its holder, if it lives.
        current = Lead(current.name, current.holder, current.term, now)
    ours = current is not None and current.holder == holder and current.until > now
    if current is not None and not ours and current.until > now:
        return None
    term = current.term if ours and current else (current.term + 1 if current else 1)
    taken = Lead(name, holder, term, now + valid_s)
    row = {"name": name, "holder": holder, "term": term, "until": taken.until}
    upsert(connection, lead, [row])
    return taken


def holds(connection: Connection, held: Lead, *, now: float) -> bool:
    """Tell whether this very lead still is the valid one."""
    current = leader(connection, held.name)
    return current is not None and current.term == held.term and current.until > now


def give_up(connection: Connection, held: Lead) -> None:
    """End one's lead at once, so that another need not wait for its end."""
    ours = and_(lead.c.name == held.name, lead.c.term == held.term)
    connection.execute(update(lead).where(ours).values(until=0.0))


def leader(connection: Connection, name: str) -> Lead | None:
    """Return who has led last; whether still, its `until` says."""
    row = connection.execute(select(lead).where(lead.c.name == name)).one_or_none()
    return None if row is None else Lead(row.name, row.holder, row.term, row.until)
