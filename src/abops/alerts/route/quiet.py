"""When a team sleeps: what is not critical then waits until the morning. Pure.

The hours are local. Where the clocks skip the end it comes as much later as they skip; where they
show it twice, it comes the first time.
"""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from abops.alerts.model import QuietHours, Team

_DAY = timedelta(days=1)


def quiet_until(team: Team | None, now: datetime) -> datetime | None:
    """Return when the quiet hours that a team has at `now` are over. None: it has none."""
    if team is None or team.quiet is None:
        return None
    quiet, zone = team.quiet, ZoneInfo(team.tz)
    today = now.astimezone(zone).date()
    for day in (today - _DAY, today):
        if day.weekday() not in quiet.days:
            continue
        last = day if quiet.end > quiet.begin else day + _DAY
        begin = datetime.combine(day, _time(quiet.begin), zone).astimezone(UTC)
        end = datetime.combine(last, _time(quiet.end), zone).astimezone(UTC)
        if begin <= now < end:
            return end
    return None


def hours(quiet: QuietHours) -> str:
    """Write them as people do: 22:00-07:00."""
    return f"{_time(quiet.begin):%H:%M}-{_time(quiet.end):%H:%M}"


def next_full_hour(now: datetime) -> datetime:
    """Return when the next hourly digest is due."""
    return now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def _time(minutes: int) -> time:
    return time(*divmod(minutes, 60))
