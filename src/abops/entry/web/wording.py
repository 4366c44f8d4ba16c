"""How moments, ages and counts are written on the pages. `static/js/time.js` writes ages alike."""

from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape


def ago(elapsed: timedelta) -> str:
    """Write an age so that it can be taken in at a glance: 12 s, 2 m, 1h 04m, 3d 02h."""
    seconds = max(0, int(elapsed.total_seconds()))
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if not minutes:
        return f"{seconds} s"
    if not hours:
        return f"{minutes} m"
    if not days:
        return f"{hours}h {minutes % 60:02d}m"
    return f"{days}d {hours % 24:02d}h"


def absolute(moment: datetime) -> str:
    """Write a moment in full, zone included."""
    return f"{moment.astimezone(UTC):%a %Y-%m-%d %H:%M:%S} UTC"


def web_address(url: str) -> str:
    """Return `url` when a browser may be sent there, else nothing."""
    return url if urlsplit(url).scheme in {"http", "https"} else ""


def with_code(text: str) -> Markup:
    """Show what stands between backticks as code; everything else as it is."""
    parts = [escape(part) for part in text.split("`")]
    if len(parts) % 2 == 0:
        return escape(text)
    shown = [
        Markup("<code>{}</code>").format(part) if index % 2 else part
        for index, part in enumerate(parts)
    ]
    return Markup().join(shown)


def short_count(number: int) -> str:
    """Write a count in at most four figures: 950, 1.2k, 14k, 2.3M."""
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if number >= size:
            value = number / size
            return f"{value:.0f}{unit}" if value >= 10 else f"{value:.1f}{unit}"  # noqa: PLR2004
    return str(number)


def span_in_words(seconds: float) -> str:
    """Write a span that somebody chose: 30 s, 15 min, 4 h, 2 days."""
    for size, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            count = int(seconds // size)
            return "1 day" if (count, unit) == (1, "days") else f"{count} {unit}"
    return f"{seconds / 60:g} min" if seconds > 60 else f"{seconds:g} s"  # noqa: PLR2004


def local_time(moment: datetime, zone: str) -> str:
    """Write a moment as the clocks of a place show it: Mon 30 Nov 09:00 Europe/Berlin."""
    return f"{moment.astimezone(ZoneInfo(zone)):%a %d %b %H:%M} {zone}"
