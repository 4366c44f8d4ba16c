"""How often a channel may be called, and when to try again: pure arithmetic.

The providers' documented limits are used at 80 %, so that somebody else's message with the same
token does not push ours over. A retry waits 1, 2, 4 .. 60 s with jitter, or as long as the channel
asks; what is critical is tried for 30 minutes, anything else for 10.
"""

from collections import deque
from datetime import datetime
from typing import Final

from msgspec import Struct

from abops.alerts.model import ChannelType, DeliveryKind, OutboxItem

SHARE: Final = 0.8
LONGEST_WAIT_S: Final = 60.0
CRITICAL_PATIENCE_S: Final = 1_800.0
PATIENCE_S: Final = 600.0


class Allowance(Struct, frozen=True):
    """At most so many calls in any span of so many seconds."""

    calls: int
    span_s: float


_ALLOWED: Final[dict[tuple[ChannelType, str], tuple[Allowance, ...]]] = {
    ("slack", "post"): (Allowance(1, 1.0 / SHARE),),
    ("slack", "edit"): (Allowance(int(50 * SHARE), 60.0), Allowance(1, 0.5)),
    ("pagerduty", "post"): (Allowance(int(120 * SHARE), 60.0),),
    ("telegram", "post"): (Allowance(1, 1.0 / SHARE), Allowance(int(20 * SHARE), 60.0)),
    ("email", "post"): (Allowance(10, 10.0),),
}


def calls_of(channel: ChannelType, kind: DeliveryKind) -> tuple[str, ...]:
    """Return the calls that telling this takes: posting, editing or both."""
    if channel in ("pagerduty", "email") or kind in ("open", "fallback", "hourly"):
        return ("post",)
    if channel == "telegram":  # its limit counts edits like messages
        return ("post",) if kind in ("update", "ack") else ("post", "post")
    return ("edit",) if kind == "update" else ("edit", "post")


class Pace:
    """Remembers one channel's calls and says how long the next one has to wait."""

    def __init__(self, channel: ChannelType) -> None:
        self._allowed = {
            call: allowances for (kind, call), allowances in _ALLOWED.items() if kind == channel
        }
        self._calls: dict[str, deque[float]] = {
            call: deque(maxlen=max(a.calls for a in allowances))
            for call, allowances in self._allowed.items()
        }
        self._paused_until = 0.0

    def wait_s(self, calls: tuple[str, ...], now: float) -> float:
        """Return the seconds until the first of these calls may be made; 0: now."""
        wait = max(self._paused_until - now, 0.0)
        for call in calls:
            made = self._calls[call]
            for allowance in self._allowed[call]:
                if len(made) >= allowance.calls:
                    wait = max(wait, made[-allowance.calls] + allowance.span_s - now)
        return wait

    def spend(self, call: str, now: float) -> None:
        """Note that a call is made."""
        self._calls[call].append(now)

    def pause(self, seconds: float, now: float) -> None:
        """Leave the channel alone for as long as it asks."""
        self._paused_until = max(self._paused_until, now + seconds)


def retry_in_s(attempts: int, *, asked_s: float | None, jitter: float) -> float:
    """Return the seconds until the next attempt; `jitter` is drawn from 0..1."""
    if asked_s is not None:
        return asked_s + jitter * 0.5
    return float(min(2 ** max(attempts - 1, 0), LONGEST_WAIT_S)) * (0.75 + 0.25 * jitter)


def gives_up(item: OutboxItem, now: datetime) -> bool:
    """Say whether this has been tried for long enough."""
    patience = CRITICAL_PATIENCE_S if item.severity == "critical" else PATIENCE_S
    return (now - item.created_at).total_seconds() >= patience
