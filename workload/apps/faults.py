"""Fault switches: what is broken on purpose just now.

The control server writes the switches to one small file; every process looks at the file's
modification time, at most ten times a second, and reads it again when it changed. A file
outlives the stores that the demonstration stops, which a Redis key would not. Nothing is
ever broken unless WORKLOAD_FAULTS=1.
"""

import json
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from apps import clock
from apps.settings import settings

LOOK_EVERY_S = 0.1

FAULTS: Mapping[str, str] = {
    "errors": "the api answers 500 on /api (ratio)",
    "latency": "the api waits before it answers on /api (ratio, delay_s=2)",
    "exception": "a handler of the api raises (ratio)",
    "crash": "the process of `service` ends at once, once (service=api|bot|worker|beat|mtproto)",
    "memory_leak": "the process of `service` keeps mb_per_s=5 more, up to max_mb=256",
    "db_slow": "each session of the api with the database waits first (ratio, delay_s=1)",
    "db_locks": "table channels is locked exclusively; its readers wait",
    "pool_exhaust": "the api's connection pool is taken whole",
    "telegram_429": "the Telegram stub answers 429 to messages (ratio, retry_after=3)",
    "telegram_down": "the Telegram stub cuts every connection",
    "mtproto_flood": "the stub answers accounts with FLOOD_WAIT (ratio, wait_s=30)",
    "mtproto_revoked": "the stub ends the accounts' sessions (ratio)",
    "poll_stall": "the bot's polling hangs; its process lives on",
    "queue_stall": "the worker stops taking from `queue` (default: all five)",
    "task_fail": "tasks raise (ratio, task=all)",
    "beat_stop": "beat lives on, but sends nothing",
    "log_burst": "the api logs lines_per_s=500 lines",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One switch that is on."""

    name: str
    since: float
    until: float | None = None
    """When it turns itself off, in seconds since 1970. None: when somebody does."""
    ratio: float = 1.0
    options: Mapping[str, Any] = field(default_factory=dict)

    def number(self, option: str, default: float) -> float:
        """Return a numeric option."""
        value = self.options.get(option, default)
        return float(value) if isinstance(value, int | float) else default

    def text(self, option: str, default: str) -> str:
        """Return a textual option."""
        value = self.options.get(option, default)
        return value if isinstance(value, str) else default


class Switches:
    """The switches of one file, as this process sees them."""

    def __init__(self, path: Path, *, enabled: bool) -> None:
        self._path = path
        self._enabled = enabled
        self._faults: dict[str, Fault] = {}
        self._looked_at = float("-inf")
        self._seen: tuple[int, int] | None = None

    def active(self, name: str, *, service: str | None = None) -> Fault | None:
        """Return the fault when it is on (and meant for `service`)."""
        if not self._enabled:
            return None
        self._look()
        fault = self._faults.get(name)
        if fault is None or (fault.until is not None and fault.until <= clock.epoch_s()):
            return None
        if service is not None and fault.text("service", "api") != service:
            return None
        return fault

    def hits(self, name: str) -> Fault | None:
        """Return the fault when it is on and the die falls below its ratio."""
        fault = self.active(name)
        if fault is None or random.random() >= fault.ratio:  # noqa: S311 - a die, no secret
            return None
        return fault

    def _look(self) -> None:
        moment = time.monotonic()
        if moment - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = moment
        try:
            stat = self._path.stat()
        except OSError:
            self._faults, self._seen = {}, None
            return
        seen = (stat.st_mtime_ns, stat.st_ino)
        if seen != self._seen:
            self._seen = seen
            self._faults = read_faults(self._path)


def read_faults(path: Path) -> dict[str, Fault]:
    """Return the switches in `path`; none when the file is absent or damaged."""
    try:
        document = json.loads(path.read_text())
        return {
            name: Fault(
                name=name,
                since=float(entry["since"]),
                until=entry["until"],
                ratio=float(entry["ratio"]),
                options=entry["options"],
            )
            for name, entry in document.items()
            if name in FAULTS
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        # A damaged file must not break a process that is not meant to be broken.
        return {}


@cache
def switches() -> Switches:
    """Return this process's view of the switches."""
    return Switches(settings().faults_file, enabled=settings().faults_enabled)
