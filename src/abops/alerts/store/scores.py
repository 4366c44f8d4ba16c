"""What the score reads and writes: alerts as they came, what people did, labels.

What an incident looked like when it was judged waits in `learned` under its number until people
have shown what it was; then it becomes a label. Alerts are read in the order in which they came,
as far as incidents reflect them, and counted by minute: a flood is a few rows.
"""

from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection

from abops.alerts.store.dialect import is_postgres, json_text

_JUDGED = "score/"
_NUMBER = (  # whatever else is kept in `learned` is not to be read as a number
    f"CASE WHEN l.name LIKE '{_JUDGED}%' THEN CAST(substr(l.name, {len(_JUDGED) + 1}) AS INTEGER)"
    " END"
)
_BATCH = 20_000
_ABOUT_NOTHING = "('Watchdog', 'DirectPage', 'AbopsTestAlert')"
_MEMBERS = 200


class Arrived(Struct, frozen=True):
    """Alerts of one kind from one host within a minute."""

    kind: str
    host: str
    at: float
    count: int


class Seen(Struct, frozen=True):
    """A kind of alert within an incident."""

    kind: str
    host: str
    severity: str
    tier: int | None
    at: float


class Judged(Struct, frozen=True):
    """What an incident looked like when it was last judged."""

    kind: str
    features: dict[str, float]
    served: float | None
    """The score people saw. None: there was none."""


class Became(Struct, frozen=True):
    """What became of an incident so far."""

    opened_at: float
    resolved_at: float | None
    acked: bool
    noted: bool
    resolved_by: str
    """Empty: it resolved by itself, or not yet."""
    noise: bool
    silenced: bool


class Labelled(Struct, frozen=True):
    """A label, and what its incident looked like."""

    judged: Judged
    value: int
    opened_at: float


_judged = msgspec.json.Decoder(Judged)
_encode = msgspec.json.Encoder().encode


def arrived_since(connection: Connection, event: int) -> tuple[list[Arrived], int]:
    """Return what came after this event, and the last one that is in it; call until it stays."""
    last = connection.exec_driver_sql(
        "SELECT max(id) FROM (SELECT id FROM event WHERE id > ? AND id <="
        " coalesce((SELECT value FROM counter WHERE name = 'correlated'), 0) ORDER BY id LIMIT ?)"
        " AS recent",
        (event, _BATCH),
    ).scalar()
    if last is None:
        return [], event
    rows = connection.exec_driver_sql(
        f"SELECT a.kind, {_host(connection)}, max(e.received_at), count(*)"
        " FROM event AS e JOIN alert AS a USING (fingerprint)"
        f" WHERE e.id > ? AND e.id <= ? AND e.status = 'firing' AND a.name NOT IN {_ABOUT_NOTHING}"
        " GROUP BY 1, 2, CAST(e.received_at AS BIGINT) / 60 ORDER BY min(e.id)",
        (event, last),
    )
    return [Arrived(row[0], row[1], row[2], row[3]) for row in rows], int(last)


def kinds_within(connection: Connection, number: int) -> list[Seen]:
    """Return the kinds of alert within an incident, each on each host, the newest first."""
    tier = json_text(connection, "a.labels", "tier")
    members = (
        " FROM member AS m JOIN alert AS a USING (fingerprint)"
        f" WHERE m.incident = ? AND a.name NOT IN {_ABOUT_NOTHING}"
    )
    if is_postgres(connection):
        newest = (
            "SELECT * FROM (SELECT DISTINCT ON (1, 2)"
            f" a.kind, {_host(connection)}, a.severity, {tier}, m.joined_at{members}"
            " ORDER BY 1, 2, m.joined_at DESC) AS newest ORDER BY joined_at DESC LIMIT ?"
        )
    else:  # columns beside max() are those of its row
        newest = (
            f"SELECT a.kind, {_host(connection)}, a.severity, {tier}, max(m.joined_at){members}"
            " GROUP BY 1, 2 ORDER BY max(m.joined_at) DESC LIMIT ?"
        )
    rows = connection.exec_driver_sql(newest, (number, _MEMBERS))
    return [Seen(row[0], row[1], row[2], _whole(row[3]), row[4]) for row in rows]


def keep_judged(connection: Connection, number: int, judged: Judged, *, at: float) -> None:
    """Keep what an incident looked like until its label is known."""
    connection.exec_driver_sql(
        "INSERT INTO learned (name, at, event, content) VALUES (?, ?, 0, ?)"
        " ON CONFLICT (name) DO UPDATE SET at = excluded.at, content = excluded.content",
        (f"{_JUDGED}{number}", at, _encode(judged).decode()),
    )


def unlabelled(connection: Connection) -> list[tuple[int, Judged, Became]]:
    """Return the judged incidents whose label is not known, and what became of them so far."""
    rows = connection.exec_driver_sql(
        f"SELECT {_OUTCOME}, l.content FROM learned AS l"
        f" JOIN incident AS i ON i.number = {_NUMBER}"
        f" WHERE l.name LIKE '{_JUDGED}%' AND i.merged_into IS NULL ORDER BY i.number"
    )
    return [(row[0], _judged.decode(row[-1]), _became(tuple(row))) for row in rows]


def called_noise_after_all(connection: Connection) -> list[tuple[int, Judged]]:
    """Return incidents that count as acted on, and were called noise later."""
    rows = connection.exec_driver_sql(
        "SELECT b.incident, b.features FROM label AS b JOIN incident AS i ON i.number = b.incident"
        " WHERE b.value = 1 AND i.noise = 1"
    )
    return [(row[0], _judged.decode(row[1])) for row in rows]


def keep_label(
    connection: Connection, number: int, judged: Judged, label: tuple[int, str], *, at: float
) -> None:
    """Keep what people showed an incident to be: 1 or 0, and how they showed it."""
    connection.exec_driver_sql(
        "INSERT INTO label (incident, kind, value, reason, features, at) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (incident) DO UPDATE SET value = excluded.value, reason = excluded.reason,"
        " at = excluded.at",
        (number, judged.kind, *label, _encode(judged).decode(), at),
    )
    connection.exec_driver_sql("DELETE FROM learned WHERE name = ?", (f"{_JUDGED}{number}",))


def drop_merged(connection: Connection) -> None:
    """Forget how incidents looked that are part of others now."""
    connection.exec_driver_sql(
        f"DELETE FROM learned WHERE name LIKE '{_JUDGED}%' AND name IN"
        f" (SELECT '{_JUDGED}' || number FROM incident WHERE merged_into IS NOT NULL)"
    )


def labels(connection: Connection) -> list[Labelled]:
    """Return every label with what its incident looked like, the oldest first."""
    rows = connection.exec_driver_sql(
        "SELECT b.features, b.value, i.opened_at FROM label AS b"
        " JOIN incident AS i ON i.number = b.incident ORDER BY i.opened_at"
    )
    return [Labelled(_judged.decode(row[0]), row[1], row[2]) for row in rows]


def median_ack_s(connection: Connection, kind: str) -> float | None:
    """Return how long people took for incidents of this kind. None: nobody ever did."""
    rows = connection.exec_driver_sql(
        "SELECT i.acked_at - i.opened_at FROM label AS b JOIN incident AS i ON i.number ="
        " b.incident WHERE b.kind = ? AND i.acked_at IS NOT NULL ORDER BY i.number DESC LIMIT 21",
        (kind,),
    )
    found = sorted(row[0] for row in rows)
    return found[len(found) // 2] if found else None


_OUTCOME = (
    "i.number, i.opened_at, i.resolved_at, i.acked_at IS NOT NULL OR EXISTS"
    " (SELECT 1 FROM timeline AS t WHERE t.incident = i.number AND t.kind = 'acked'),"
    " EXISTS (SELECT 1 FROM timeline AS t WHERE t.incident = i.number AND t.kind = 'note'"
    " AND t.actor <> 'abops' AND t.text NOT LIKE '% called it %'),"
    " coalesce((SELECT t.actor FROM timeline AS t WHERE t.incident = i.number"
    " AND t.kind = 'resolved' AND t.actor <> 'abops' LIMIT 1), ''), i.noise,"
    " EXISTS (SELECT 1 FROM member AS m JOIN alert AS a USING (fingerprint)"
    " WHERE m.incident = i.number AND a.suppressed LIKE 'silence%')"
)


def _host(connection: Connection) -> str:
    pod, node = (json_text(connection, "a.labels", key) for key in ("pod", "node"))
    return f"coalesce({pod}, {node}, a.service)"


def _became(row: tuple[Any, ...]) -> Became:
    _, opened, resolved, acked, noted, resolved_by, noise, silenced, _ = row
    return Became(
        opened, resolved, bool(acked), bool(noted), resolved_by, bool(noise), bool(silenced)
    )


def _whole(text: object) -> int | None:
    said = str(text)
    return int(said) if said.isascii() and said.isdigit() and len(said) < 4 else None  # noqa: PLR2004
