"""What a period cost people: who was woken, which incidents there were, which were alike.

An acknowledgement counts from the first one, also when it was taken back later. Incidents that
became part of another one are counted there. Who was woken stands in `page`; an incident that
woke a channel before there were levels counts under the channel's name.
"""

from msgspec import Struct
from sqlalchemy import Connection

from abops.alerts.model import Severity

ALIKE_AMONG = 300
"""Past incidents that are looked through for a similar one: the newest."""
_FLOOD = 1_000
"""Alerts from which on a past incident is like every other flood."""


class Woken(Struct, frozen=True):
    """Somebody, or a channel, was paged."""

    person: str
    channel: str
    at: float
    incident: int
    team: str = ""


class Lived(Struct, frozen=True):
    """An incident of a period."""

    number: int
    title: str
    kind: str
    """Name of its first alert's rule."""
    service: str
    severity: Severity
    state: str
    alerts: int
    opened_at: float
    acked_at: float | None
    resolved_at: float | None
    resolved_by: str
    """Empty: by itself."""
    quiet: int
    """How often nothing fired any more."""
    noise: int
    """1 when somebody called it noise."""


class Past(Struct, frozen=True):
    """An incident that is over, as people remember it."""

    number: int
    title: str
    opened_at: float
    resolved_at: float
    acked_by: str
    note: str
    """What somebody wrote last."""
    seen: frozenset[tuple[str, str]]
    """Service and name of its alerts."""


def pages(connection: Connection, since: float, until: float) -> list[Woken]:
    """Return every page of a time, the oldest first."""
    rows = connection.exec_driver_sql(
        "SELECT person, channel, at, incident, team FROM page WHERE at >= ? AND at < ?"
        " UNION ALL SELECT '', channel, created_at, incident,"
        " (SELECT i.team FROM incident AS i WHERE i.number = outbox.incident)"
        " FROM outbox WHERE page = 1"
        " AND state IN ('done', 'sending') AND created_at >= ? AND created_at < ?"
        " AND kind IN ('open', 'rise', 'unack', 'fallback')"
        " AND incident NOT IN (SELECT incident FROM page) ORDER BY 3",
        (since, until, since, until),
    )
    return [Woken(row[0] or row[1], row[1], row[2], row[3], row[4] or "") for row in rows]


def incidents(connection: Connection, since: float, until: float) -> list[Lived]:
    """Return the incidents that opened in a time, the oldest first."""
    rows = connection.exec_driver_sql(
        "SELECT i.number, i.title, coalesce((SELECT a.name FROM member AS m JOIN alert AS a"
        " USING (fingerprint) WHERE m.incident = i.number ORDER BY m.joined_at LIMIT 1), i.title),"
        " i.service, i.severity, i.state, i.alerts, i.opened_at, coalesce((SELECT min(t.at)"
        " FROM timeline AS t WHERE t.incident = i.number AND t.kind = 'acked'), i.acked_at),"
        " i.resolved_at, coalesce((SELECT t.actor FROM timeline AS t WHERE t.incident = i.number"
        " AND t.kind = 'resolved' AND t.actor <> 'abops' LIMIT 1), ''), (SELECT count(*)"
        " FROM timeline AS t WHERE t.incident = i.number AND t.kind = 'quiet'), i.noise"
        " FROM incident AS i WHERE i.opened_at >= ? AND i.opened_at < ? AND i.merged_into IS NULL"
        " AND i.shape <> 'candidate' ORDER BY i.number",
        (since, until),
    )
    return [Lived(*tuple(row)) for row in rows]


def past(connection: Connection, but: int) -> list[Past]:
    """Return the newest incidents that are over, except one, with what they consisted of."""
    rows = connection.exec_driver_sql(
        "SELECT i.number, i.title, i.opened_at, i.resolved_at, i.acked_by,"
        " coalesce((SELECT t.text FROM timeline AS t WHERE t.incident = i.number"
        " AND t.kind = 'note' AND t.actor <> 'abops' ORDER BY t.id DESC LIMIT 1), '')"
        " FROM incident AS i WHERE i.state = 'resolved' AND i.merged_into IS NULL"
        " AND i.shape <> 'candidate'"
        " AND i.number <> ? AND i.alerts <= ? ORDER BY i.number DESC LIMIT ?",
        (but, _FLOOD, ALIKE_AMONG),
    ).all()
    if not rows:
        return []
    seen: dict[int, set[tuple[str, str]]] = {row[0]: set() for row in rows}
    marks = ",".join("?" * len(seen))
    for number, service, name in connection.exec_driver_sql(
        "SELECT m.incident, a.service, a.name FROM member AS m JOIN alert AS a USING (fingerprint)"
        f" WHERE m.incident IN ({marks}) GROUP BY 1, 2, 3",
        tuple(seen),
    ):
        seen[number].add((service, name))
    return [
        Past(row[0], row[1], row[2], row[3], row[4], row[5], frozenset(seen[row[0]]))
        for row in rows
    ]
