"""Alerts that Alertmanager does not know: who else sent them, and which of them end by themselves.

Some sources never say that an alert is over, they only stop to repeat it. What is kept in the
store: a new alert before its sender is answered, a repeat every few seconds, for the next repeat
says the same.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from abops.alerts.model import AlertEvent
from abops.alerts.service.watch import vanished
from abops.alerts.store import learned
from abops.alerts.store.database import Connection
from abops.alerts.store.writer import Unit
from abops.kernel.clock import moment

KEEP_EVERY_S: Final = 5.0
NEVER: Final = 0.0
_NAME: Final = "expiry"


class Expiry:
    """Knows when alerts end by themselves; only the event loop changes it."""

    def __init__(self) -> None:
        self._due: dict[str, float] = {}
        self._changed = False
        self._kept_at = 0.0

    def load(self, connection: Connection) -> None:
        """Read what was kept."""
        kept = learned.recall(connection, _NAME) or {}
        self._due = {name: float(str(at)) for name, at in kept.items()}

    def said(self, events: Iterable[AlertEvent], due: Mapping[str, float]) -> bool:
        """Note what a source said, and when its alerts end; return whether one is new."""
        new = False
        for event in events:
            name = event.fingerprint
            if event.status == "resolved":
                self._changed |= self._due.pop(name, None) is not None
                continue
            new |= name not in self._due
            self._changed |= self._due.get(name) != due.get(name, NEVER)
            self._due[name] = due.get(name, NEVER)
        return new

    def known(self) -> set[str]:
        """Return the alerts that others than Alertmanager sent."""
        return set(self._due)

    def past(self, now: float) -> list[str]:
        """Return the alerts whose time has come."""
        return [name for name, at in self._due.items() if NEVER < at <= now]

    def end(self, past: Iterable[str], firing: Mapping[str, float], now: float) -> list[AlertEvent]:
        """Return the end of these alerts, but of those that were repeated meanwhile."""
        over = [name for name in past if NEVER < self._due.get(name, NEVER) <= now]
        for name in over:
            del self._due[name]
            self._changed = True
        return [
            vanished(name, moment(firing[name]), moment(now)) for name in over if name in firing
        ]

    def keep(self, unit: Unit, *, at_once: bool = False) -> None:
        """Write what changed, every few seconds or at once."""
        if self._changed and (at_once or unit.now - self._kept_at >= KEEP_EVERY_S):
            self._changed, self._kept_at = False, unit.now
            content: dict[str, object] = dict(self._due.copy())
            learned.keep(unit.connection, _NAME, content, at=unit.now)
