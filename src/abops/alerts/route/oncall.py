"""Who of a team is on call at a moment: its members take turns, by the calendar alone.

No turn is stored. The handovers are counted from the calendar, so that every copy of the service
names the same person, also after a restart.
"""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from abops.alerts.model import OnCall

_WEEK_DAYS = 7


def on_call(rota: OnCall, now: datetime) -> str:
    """Return the member whose turn it is."""
    return rota.members[_turn(rota, now) % len(rota.members)]


def next_handover(rota: OnCall, now: datetime) -> datetime:
    """Return when the next member takes over."""
    zone = ZoneInfo(rota.tz)
    days = _WEEK_DAYS if rota.rotate == "weekly" else 1
    last = _last_handover(rota, now.astimezone(zone))
    day = last.date() + timedelta(days=days)
    return datetime.combine(day, time(rota.hour, rota.minute), zone).astimezone(UTC)


def _turn(rota: OnCall, now: datetime) -> int:
    day = _last_handover(rota, now.astimezone(ZoneInfo(rota.tz))).toordinal()
    return day // _WEEK_DAYS if rota.rotate == "weekly" else day


def _last_handover(rota: OnCall, local: datetime) -> datetime:
    """Return the last handover at or before a local time."""
    back = (local.weekday() - rota.weekday) % _WEEK_DAYS if rota.rotate == "weekly" else 0
    day = local.date() - timedelta(days=back)
    handover = datetime.combine(day, time(rota.hour, rota.minute), local.tzinfo)
    if handover.astimezone(UTC) <= local.astimezone(UTC):
        return handover
    days = _WEEK_DAYS if rota.rotate == "weekly" else 1
    return datetime.combine(day - timedelta(days=days), handover.timetz())
