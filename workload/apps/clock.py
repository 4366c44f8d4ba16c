"""The one place where this project reads the time of day."""

import time
from datetime import UTC, datetime

# The root configuration bans these two calls in favour of a clock module; here is ours.


def now() -> datetime:
    """Return the present moment, aware, in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - this is the clock


def epoch_s() -> float:
    """Return the seconds since 1970."""
    return time.time()  # noqa: TID251 - this is the clock
