"""When a timetable's times come: `sun 01:00`, `01:00` in the zone that it names, or every `6h`.

An hour that the clocks skip comes when they have moved on; one that comes twice counts once. What
comes at an interval comes at its multiples since 1970, whatever the zone.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from abops.kernel.quantities import parse_duration

_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def last_slot(when: str, tz: str, now: datetime) -> datetime:
    """Return the last time that `sun 01:00`, `01:00` or `6h` came, in UTC."""
    if ":" not in when:
        every_s = parse_duration(when).total_seconds()
        return datetime.fromtimestamp(now.timestamp() // every_s * every_s, UTC)
    weekday, _, clock = when.rpartition(" ")
    at, zone = time.fromisoformat(clock), ZoneInfo(tz)
    day = now.astimezone(zone).date()
    while True:
        slot = datetime.combine(day, at, zone).astimezone(UTC)
        if slot <= now and (not weekday or _WEEKDAYS[day.weekday()] == weekday):
            return slot
        day -= timedelta(days=1)


def slot_number(when: str, slot: datetime) -> int:
    """Return how many slots came before this one: for those who take turns."""
    if ":" not in when:
        return int(slot.timestamp() // parse_duration(when).total_seconds())
    return slot.toordinal()


def slots_between(when: str, tz: str, since: datetime, now: datetime) -> Iterator[datetime]:
    """Yield the times that came after `since`, old to new."""
    slots = []
    slot = last_slot(when, tz, now)
    while slot > since:
        slots.append(slot)
        slot = last_slot(when, tz, slot - timedelta(seconds=1))
    yield from reversed(slots)
