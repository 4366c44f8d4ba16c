"""Reading the forms of silences and maintenance windows, and what is listed beside them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from typing import Any, Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from abops.alerts.route.silence import Quiet
from abops.alerts.route.window import DAYS, Schedule, open_until
from abops.alerts.service.hush import SilenceError
from abops.alerts.store.duty import SilenceRow
from abops.entry.web.quiet_now import What, quiet_of
from abops.entry.web.quiet_words import in_words
from abops.kernel.clock import moment
from abops.kernel.quantities import QuantityError, parse_duration

DAY_NAMES: Final = dict(zip(DAYS, ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), strict=True))
_WEEK: Final = 7


class Listed(Struct, frozen=True):
    """One silence or window as its page shows it."""

    number: int
    name: str
    words: str
    matchers: str
    reason: str
    by: str
    made_at: datetime
    schedule: str
    """When it opens, in words. Empty: once."""
    begins_at: datetime | None
    """When it opens next. None: it is open, or nobody can tell."""
    ends_at: datetime | None
    """When it closes, if it is open or planned."""
    is_open: bool
    holds: int


class Past(Struct, frozen=True):
    """A silence or window that is over, as the audit log knows it."""

    number: int
    matchers: str
    by: str
    made_at: datetime
    ended_by: str
    """Who ended it before its time. Empty: it ran out."""


def listed(
    what: What, rows: Iterable[SilenceRow], counts: Mapping[str, int], now: datetime
) -> list[Listed]:
    """Return what is open first, then what is planned, the next one first."""
    found = [_listed(what, row, counts, now) for row in rows]
    far = now + timedelta(days=36_500)
    return sorted(found, key=lambda one: (not one.is_open, one.begins_at or far, one.number))


def past(what: What, audited: Iterable[Mapping[str, Any]], alive: set[int]) -> list[Past]:
    """Return what is over, the newest first, out of rows of the audit log, the newest first."""
    ended: dict[int, str] = {}
    found = []
    for row in audited:
        name, _, matchers = str(row["subject"]).partition(": ")
        digits = name.removeprefix(f"{what} ")
        if not digits.isdigit():
            continue
        number = int(digits)
        if row["action"] == f"end {what}":
            ended[number] = row["actor"]
        elif row["action"] == what and number not in alive:
            made = moment(row["at"])
            found.append(Past(number, matchers, row["actor"], made, ended.get(number, "")))
    return found


def span_of(text: str) -> timedelta:
    """Read a duration; raises SilenceError."""
    try:
        return parse_duration(text)
    except QuantityError as error:
        raise SilenceError(str(error), hint=error.hint) from error


def begin_of(text: str) -> float | None:
    """Read when it begins, in UTC. None: now. Raises SilenceError."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    except ValueError as error:
        raise SilenceError(
            f"{text!r} is no time", hint="Write it like 2026-11-25T14:00, in UTC."
        ) from error


def next_opening(schedule: Schedule, now: datetime) -> datetime:
    """Return when a schedule opens next."""
    zone = ZoneInfo(schedule.tz)
    at = time_of_day.fromisoformat(schedule.at)
    today = now.astimezone(zone).date()
    days = (today + timedelta(days=ahead) for ahead in range(_WEEK + 1))
    opens = (
        datetime.combine(day, at, zone).astimezone(UTC)
        for day in days
        if DAYS[day.weekday()] in schedule.days
    )
    return next(opening for opening in opens if opening > now)


def schedule_in_words(schedule: Schedule) -> str:
    """Say when a schedule opens: `Sat, Sun 02:00 for 2h, Europe/Berlin`."""
    days = ", ".join(DAY_NAMES[day] for day in DAYS if day in schedule.days)
    if len(schedule.days) == _WEEK:
        days = "every day"
    return f"{days} {schedule.at} for {schedule.lasts}, {schedule.tz}"


def _listed(what: What, row: SilenceRow, counts: Mapping[str, int], now: datetime) -> Listed:
    quiet = quiet_of(what, row)
    schedule = quiet.schedule if quiet else None
    is_open = quiet is not None and quiet.is_open(now.timestamp())
    return Listed(
        number=row.id,
        name=row.name,
        words=in_words(row.matchers),
        matchers=row.matchers,
        reason=row.reason,
        by=row.created_by,
        made_at=moment(row.created_at),
        schedule=schedule_in_words(schedule) if schedule else "",
        begins_at=None if is_open or quiet is None else _begins(quiet, now),
        ends_at=_ends(quiet, now) if quiet else None,
        is_open=is_open,
        holds=counts.get(f"{what} {row.id}", 0),
    )


def _begins(quiet: Quiet, now: datetime) -> datetime:
    return next_opening(quiet.schedule, now) if quiet.schedule else moment(quiet.starts_at)


def _ends(quiet: Quiet, now: datetime) -> datetime | None:
    if quiet.schedule is None:
        return moment(quiet.ends_at)
    return (
        open_until(quiet.schedule, now) or next_opening(quiet.schedule, now) + quiet.schedule.span
    )


def schedule_of(days: Sequence[str], at: str, lasts: str, zone: str) -> Schedule:
    """Read a weekly window; raises ScheduleError."""
    return Schedule(tuple(days), at, lasts, zone or "UTC")
