"""The stretch of time a board shows, and the step at which its charts are asked for.

The step follows Grafana's table, so that console and Grafana ask Prometheus the same question
and their charts look the same. Both ends lie on multiples of the step: two readers who look at
nearly the same moment ask for the same samples, and one answer serves both.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct

from abops.kernel.errors import UsageError
from abops.kernel.quantities import QuantityError, parse_duration

SCRAPE_S: Final = 15
"""Seconds between two samples of most series."""
COLUMNS: Final = 24
FULL_WIDTH_PX: Final = 1850
"""Points that a panel of full width has room for."""
SHORTEST: Final = timedelta(minutes=1)
LONGEST: Final = timedelta(days=400)
_STEPS: Final = (
    (15, 10),
    (25, 20),
    (45, 30),
    (90, 60),
    (210, 120),
    (450, 300),
    (750, 600),
    (1200, 900),
    (2400, 1800),
)
"""Below the first number of seconds the step is the second; from the last on it is an hour."""
_HOUR_S: Final = 3600
_EPOCH: Final = re.compile(r"\d{9,14}")
_MILLISECONDS_FROM: Final = 10**11


class TimeError(UsageError):
    """This is not a stretch of time."""

    hint = "Write now-6h, a moment like 2026-11-25T10:00Z, or milliseconds since 1970."


class Span(Struct, frozen=True):
    """From one moment to another."""

    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        """Return its length."""
        return (self.end - self.start).total_seconds()


class Window(Struct, frozen=True):
    """A span as Prometheus is asked for it: seconds since 1970, ends on multiples of the step."""

    start: int
    end: int
    step: int
    scrape_s: int = SCRAPE_S
    """Seconds between two samples of what is asked for: no step is shorter."""

    @property
    def count(self) -> int:
        """Return how many moments it has."""
        return (self.end - self.start) // self.step + 1


def read_span(since: str, until: str, now: datetime) -> Span:
    """Return the span that two words name; raises TimeError.

    What is written relative to now ends now: a fixed end beside it is left over from before.
    """
    start, end = _moment(since, now), _moment(until or "now", now)
    if since.startswith("now") and not until.startswith("now"):
        end = now
    if not SHORTEST <= end - start <= LONGEST:
        raise TimeError(f"{since} to {until or 'now'} is not between a minute and 400 days")
    return Span(start, end)


def _moment(text: str, now: datetime) -> datetime:
    if text == "now":
        return now
    try:
        if text.startswith("now-"):
            return now - parse_duration(text.removeprefix("now-"))
        if _EPOCH.fullmatch(text):
            number = int(text)
            seconds = number / 1000 if number >= _MILLISECONDS_FROM else number
            return datetime.fromtimestamp(seconds, UTC)
        found = datetime.fromisoformat(text)
    except (QuantityError, ValueError, OverflowError) as error:
        raise TimeError(f"{text[:40]!r} is not a moment") from error
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def window_of(span: Span, width: int, *, scrape_s: int = 0) -> Window:
    """Return how a panel of `width` columns asks for `span`; `scrape_s` 0: as most series."""
    scrape_s = scrape_s or SCRAPE_S
    step = step_of(span.seconds, width, scrape_s=scrape_s)
    start, end = int(span.start.timestamp()), int(span.end.timestamp())
    return Window(start // step * step, end // step * step, step, scrape_s)


def step_of(span_s: float, width: int, *, scrape_s: int = SCRAPE_S) -> int:
    """Return the seconds between two points of a panel of `width` of 24 columns."""
    room = max(1, min(width, COLUMNS)) / COLUMNS * FULL_WIDTH_PX
    wanted = span_s / room
    step = next((step for below, step in _STEPS if wanted < below), _HOUR_S)
    return max(scrape_s, step)


def rate_interval(step: int, *, scrape_s: int = SCRAPE_S) -> int:
    """Return the seconds that a rate looks back: never less than four scrapes."""
    return max(step + scrape_s, 4 * scrape_s)
