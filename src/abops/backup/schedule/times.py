"""When a timetable's times come: `sun 01:00`, `01:00`, in the zone that it names.

An hour that the clocks skip comes when they have moved on; one that comes twice counts once.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def last_slot(when: str, tz: str, now: datetime) -> datetime:
    """Return the last time that `sun 01:00` or `01:00` came, in UTC."""
    weekday, _, clock = when.rpartition(" ")
    at, zone = time.fromisoformat(clock), ZoneInfo(tz)
    day = now.astimezone(zone).date()
    while True:
        slot = datetime.combine(day, at, zone).astimezone(UTC)
        if slot <= now and (not weekday or _WEEKDAYS[day.weekday()] == weekday):
            return slot
        day -= timedelta(days=1)


def slots_between(when: str, tz: str, since: datetime, now: datetime) -> Iterator[datetime]:
    """Yield the times that came after `since`, old to new."""
    slots = []
    slot = last_slot(when, tz, now)
    while slot > since:
        slots.append(slot)
        slot = last_slot(when, tz, slot - timedelta(seconds=1))
    yield from reversed(slots)
