"""When a maintenance window is open: once, or on certain days of every week.

A recurring window begins at a local time. Where the clocks skip that time it begins as much later
as they skip; where they show it twice, it begins the first time. It lasts as long as it says,
whatever the clocks do meanwhile.
"""

from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct, field

from abops.kernel.errors import UsageError
from abops.kernel.quantities import QuantityError, parse_duration

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LONGEST: Final = timedelta(days=7)


class ScheduleError(UsageError):
    """This is no schedule of a window."""

    hint = 'Write {days: [sat], at: "02:00", for: 2h, tz: Europe/Berlin}.'


class Schedule(Struct, frozen=True, forbid_unknown_fields=True):
    """On which days a window opens, at what time, for how long."""

    days: tuple[str, ...]
    at: str
    lasts: str = field(name="for")
    tz: str = "UTC"

    def __post_init__(self) -> None:
        """Raise ScheduleError when it could never be evaluated."""
        if not self.days or set(self.days) - set(DAYS):
            raise ScheduleError(f"days are some of {', '.join(DAYS)}; these are {self.days}")
        try:
            time_of_day.fromisoformat(self.at)
            span = self.span
            ZoneInfo(self.tz)
        except (ValueError, QuantityError, ZoneInfoNotFoundError) as error:
            raise ScheduleError(f"the schedule cannot be read: {error}") from error
        if not timedelta() < span <= LONGEST:
            raise ScheduleError(f"a window lasts up to 7 days, not {self.lasts}")

    @property
    def span(self) -> timedelta:
        """How long the window stays open."""
        return parse_duration(self.lasts)


def open_until(schedule: Schedule, now: datetime) -> datetime | None:
    """Return when the window that is open at `now` closes. None: it is closed."""
    return max((end for start, end in openings(schedule, now) if start <= now), default=None)


def openings(
    schedule: Schedule, now: datetime, ahead: timedelta = timedelta()
) -> list[tuple[datetime, datetime]]:
    """Return beginning and end of the windows that are open, or will open within that time."""
    zone = ZoneInfo(schedule.tz)
    at = time_of_day.fromisoformat(schedule.at)
    today = now.astimezone(zone).date()
    found = []
    for back in range(-1 - ahead.days, schedule.span.days + 2):
        day = today - timedelta(days=back)
        if DAYS[day.weekday()] in schedule.days:
            start = datetime.combine(day, at, zone).astimezone(UTC)
            end = start + schedule.span
            if start <= now + ahead and now < end:
                found.append((start, end))
    return sorted(found)
