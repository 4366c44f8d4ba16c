"""Rows of duty: timers, pages, silences, windows."""

from collections import Counter

import msgspec
from msgspec import Struct
from msgspec.structs import astuple
from sqlalchemy import Connection

_KEYED = "window key: "
_labels = msgspec.json.Decoder(dict[str, str])


class TimerRow(Struct, frozen=True):
    """A timer that has not gone off."""

    id: int
    incident: int
    kind: str
    due: float
    data: str


class PageRow(Struct, frozen=True):
    """Somebody was paged."""

    incident: int
    at: float
    level: int
    team: str
    person: str
    channel: str
    reason: str


class SilenceRow(Struct, frozen=True):
    """A silence or a window that has not ended."""

    id: int
    matchers: str
    reason: str
    starts_at: float | None
    ends_at: float | None
    created_at: float
    created_by: str
    name: str = ""
    schedule: str = ""
    key: str = ""
    """What a program calls it, so that asking twice plans it once."""


def timers(connection: Connection, kind: str) -> list[TimerRow]:
    """Return the timers of a kind that have yet to go off."""
    rows = connection.exec_driver_sql(
        "SELECT id, incident, kind, due, data FROM timer WHERE fired_at IS NULL AND kind = ?"
        " ORDER BY id",
        (kind,),
    )
    return [TimerRow(*row) for row in rows]


def set_timer(connection: Connection, incident: int, kind: str, due: float, data: str) -> None:
    """Set an incident's only timer of this kind, or move it."""
    moved = connection.exec_driver_sql(
        "UPDATE timer SET due = ?, data = ? WHERE incident = ? AND kind = ? AND fired_at IS NULL",
        (due, data, incident, kind),
    )
    if not moved.rowcount:
        connection.exec_driver_sql(
            "INSERT INTO timer (incident, kind, due, data) VALUES (?, ?, ?, ?)",
            (incident, kind, due, data),
        )


def end_timer(connection: Connection, incident: int, kind: str, at: float) -> None:
    """Let a timer go off, or stop it: either way it does not go off any more."""
    connection.exec_driver_sql(
        "UPDATE timer SET fired_at = ? WHERE incident = ? AND kind = ? AND fired_at IS NULL",
        (at, incident, kind),
    )


def add_page(connection: Connection, row: PageRow) -> None:
    """Note who was paged."""
    connection.exec_driver_sql(
        "INSERT INTO page (incident, at, level, team, person, channel, reason)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        astuple(row),
    )


def pages(connection: Connection, incident: int) -> list[PageRow]:
    """Return who was paged for an incident, in order."""
    rows = connection.exec_driver_sql(
        "SELECT incident, at, level, team, person, channel, reason FROM page WHERE incident = ?"
        " ORDER BY id",
        (incident,),
    )
    return [PageRow(*row) for row in rows]


def unaccepted_since(connection: Connection, incident: int, since: float) -> float | None:
    """Return when the first page since then was queued, if none of them was accepted."""
    row = connection.exec_driver_sql(
        "SELECT min(created_at), count(*) FILTER (WHERE state IN ('done', 'skipped')) FROM outbox"
        " WHERE incident = ? AND page = 1 AND created_at >= ?",
        (incident, since),
    ).first()
    if row is None or row[0] is None or row[1]:
        return None
    return float(row[0])


def firing_labels(connection: Connection) -> dict[str, dict[str, str]]:
    """Return the labels of every alert that fires, by fingerprint."""
    rows = connection.exec_driver_sql("SELECT fingerprint, labels FROM alert WHERE state='firing'")
    return {row[0]: _labels.decode(row[1]) for row in rows}


def held_back(connection: Connection) -> dict[str, int]:
    """Return how many alerts that fire each silence and window keeps from people, by its name."""
    rows = connection.exec_driver_sql(
        "SELECT suppressed, count(*) FROM alert"
        " WHERE state = 'firing' AND suppressed <> '' GROUP BY suppressed"
    )
    counts: Counter[str] = Counter()
    for why, count in rows:
        counts[str(why).partition(":")[0]] += int(count)
    return dict(counts)


def suppress(connection: Connection, changed: dict[str, str]) -> None:
    """Write why alerts are kept from people; empty: they are not."""
    if changed:
        connection.exec_driver_sql(
            "UPDATE alert SET suppressed = ? WHERE fingerprint = ?",
            [(why, fingerprint) for fingerprint, why in changed.items()],
        )


def add_silence(connection: Connection, row: SilenceRow) -> int:
    """Keep a silence and return its number."""
    done = connection.exec_driver_sql(
        "INSERT INTO silence (matchers, reason, starts_at, ends_at, created_at, created_by)"
        " VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
        (row.matchers, row.reason, row.starts_at, row.ends_at, row.created_at, row.created_by),
    )
    return int(done.scalar_one())


def add_window(connection: Connection, row: SilenceRow) -> int:
    """Keep a window and return its number."""
    done = connection.exec_driver_sql(
        'INSERT INTO "window" (name, matchers, reason, schedule, starts_at, ends_at, created_at,'
        " created_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        (
            row.name,
            row.matchers,
            row.reason,
            row.schedule,
            row.starts_at,
            row.ends_at,
            row.created_at,
            row.created_by,
        ),
    )
    return int(done.scalar_one())


def keyed_window(connection: Connection, key: str) -> int | None:
    """Return the window that was planned under a key. None: none was."""
    found = connection.exec_driver_sql(
        "SELECT value FROM counter WHERE name = ?", (f"{_KEYED}{key}",)
    ).scalar()
    return None if found is None else int(found)


def key_window(connection: Connection, key: str, number: int) -> None:
    """Note under which key a window was planned."""
    connection.exec_driver_sql(
        "INSERT INTO counter (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING",
        (f"{_KEYED}{key}", number),
    )


def silences(connection: Connection, now: float) -> list[SilenceRow]:
    """Return the silences that have not ended."""
    rows = connection.exec_driver_sql(
        "SELECT id, matchers, reason, starts_at, ends_at, created_at, created_by FROM silence"
        " WHERE ended_at IS NULL AND ends_at > ? ORDER BY id",
        (now,),
    )
    return [SilenceRow(*row) for row in rows]


def windows(connection: Connection, now: float) -> list[SilenceRow]:
    """Return the windows that are open or may yet open."""
    rows = connection.exec_driver_sql(
        "SELECT id, matchers, reason, starts_at, ends_at, created_at, created_by, name, schedule"
        ' FROM "window" WHERE ended_at IS NULL AND (ends_at IS NULL OR ends_at > ?) ORDER BY id',
        (now,),
    )
    return [SilenceRow(*row) for row in rows]


def end_silence(connection: Connection, table: str, number: int, *, at: float, by: str) -> bool:
    """End a silence or a window (`table`); False: there is none that could be ended."""
    if table not in ("silence", "window"):
        raise ValueError(table)
    ended = connection.exec_driver_sql(
        f'UPDATE "{table}" SET ended_at = ?, ended_by = ? WHERE id = ? AND ended_at IS NULL',
        (at, by, number),
    )
    return bool(ended.rowcount)


def last_pages(connection: Connection) -> list[tuple[int, float]]:
    """Return, by incident that is not resolved, when somebody was paged last."""
    rows = connection.exec_driver_sql(
        "SELECT incident, max(at) FROM page WHERE incident IN"
        " (SELECT number FROM incident WHERE state <> 'resolved') GROUP BY incident"
    )
    return [(row[0], row[1]) for row in rows]


def merged_into(connection: Connection, incident: int) -> int | None:
    """Return the incident that an incident is part of. None: of none."""
    found = connection.exec_driver_sql(
        "SELECT merged_into FROM incident WHERE number = ?", (incident,)
    ).scalar()
    return None if found is None else int(found)
