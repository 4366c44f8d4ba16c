"""How often is too often: the providers' rate limits as pure arithmetic over a clock.

Two shapes cover what the four providers document. A token bucket allows a short burst and then a
steady rate ("one message a second, short bursts are fine"); a sliding window allows a count in any
span of the given length ("20 a minute"). Both say how long to wait, which becomes Retry-After.
A refused request costs nothing, so that a sender who waits as told is served.
"""

from collections import deque
from collections.abc import Iterable
from typing import Protocol

from abops.kernel.clock import Clock

_ROUNDING_S = 1e-9  # what adding and subtracting seconds as floats may lose
_KEYS_KEPT = 10_000  # a sender that invents chat ids must not fill the memory


class Limit(Protocol):
    """A rate limit with one allowance per key (a channel, a chat, a routing key)."""

    name: str

    def wait_s(self, key: str) -> float:
        """Return the seconds until `key` may be served; 0 when it may be served now."""
        ...

    def spend(self, key: str) -> None:
        """Count one served request of `key`."""
        ...


class TokenBucket:
    """`burst` requests at once, then `rate_per_s` of them a second."""

    def __init__(self, name: str, *, rate_per_s: float, burst: int, clock: Clock) -> None:
        self.name = name
        self._rate_per_s = rate_per_s
        self._burst = float(burst)
        self._clock = clock
        self._levels: dict[str, tuple[float, float]] = {}  # key -> (tokens, when they were counted)

    def wait_s(self, key: str) -> float:
        """Return the seconds until `key` has a whole token."""
        missing = 1.0 - self._level(key)
        return missing / self._rate_per_s if missing > _ROUNDING_S else 0.0

    def spend(self, key: str) -> None:
        """Take one token of `key`."""
        level = self._level(key)
        self._levels.pop(key, None)
        if len(self._levels) >= _KEYS_KEPT:
            self._levels.pop(next(iter(self._levels)))  # the key that was quiet longest
        self._levels[key] = (level - 1.0, self._clock.monotonic())

    def _level(self, key: str) -> float:
        now = self._clock.monotonic()
        tokens, counted_at = self._levels.get(key, (self._burst, now))
        return min(self._burst, tokens + (now - counted_at) * self._rate_per_s)


class SlidingWindow:
    """`count` requests in any `window_s` seconds."""

    def __init__(self, name: str, *, count: int, window_s: float, clock: Clock) -> None:
        self.name = name
        self._count = count
        self._window_s = window_s
        self._clock = clock
        self._served: dict[str, deque[float]] = {}

    def wait_s(self, key: str) -> float:
        """Return the seconds until the oldest of the last `count` requests leaves the window."""
        served = self._served.get(key)
        if served is None or len(served) < self._count:
            return 0.0
        wait = served[0] + self._window_s - self._clock.monotonic()
        return wait if wait > _ROUNDING_S else 0.0

    def spend(self, key: str) -> None:
        """Count one request of `key`."""
        served = self._served.pop(key, None) or deque(maxlen=self._count)
        if len(self._served) >= _KEYS_KEPT:
            self._served.pop(next(iter(self._served)))
        served.append(self._clock.monotonic())
        self._served[key] = served


def admit(limits: Iterable[tuple[Limit, str]]) -> tuple[str, float] | None:
    """Serve a request under several limits at once, or under none of them.

    Returns None when it is served and counted, else the name of the limit with the longest wait
    and that wait in seconds; then nothing is counted.
    """
    pairs = tuple(limits)
    waits = [(limit.wait_s(key), limit.name) for limit, key in pairs]
    longest_s, name = max(waits, default=(0.0, ""))
    if longest_s > 0:
        return name, longest_s
    for limit, key in pairs:
        limit.spend(key)
    return None
