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
    """Knows when alerts end by themselves.

    Each change is one operation on a dict, so that the event loop and the writer's thread, which
    brings what other replicas heard, may both make them.
    """

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
        return self._note(said_of(events, due))

    def take(self, unit: Unit, said: Iterable[tuple[str, float | None]]) -> None:
        """Note what another replica heard, and write it; called in the writer's thread."""
        if self._note(said):
            self.keep(unit, at_once=True)

    def _note(self, said: Iterable[tuple[str, float | None]]) -> bool:
        new = False
        for name, at in said:
            if at is None:
                self._changed |= self._due.pop(name, None) is not None
                continue
            new |= name not in self._due
            self._changed |= self._due.get(name) != at
            self._due[name] = at
        return new

    def known(self) -> set[str]:
        """Return the alerts that others than Alertmanager sent."""
        return set(self._due)

    def past(self, now: float) -> list[str]:
        """Return the alerts whose time has come."""
        return [name for name, at in self._due.copy().items() if NEVER < at <= now]

    def end(self, past: Iterable[str], firing: Mapping[str, float], now: float) -> list[AlertEvent]:
        """Return the end of these alerts, but of those that were repeated meanwhile."""
        over = [name for name in past if NEVER < self._due.get(name, NEVER) <= now]
        for name in over:
            self._due.pop(name, None)
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


def said_of(
    events: Iterable[AlertEvent], due: Mapping[str, float]
) -> list[tuple[str, float | None]]:
    """Return which alerts a source spoke of, and when each ends by itself. None: it is over."""
    return [
        (e.fingerprint, None if e.status == "resolved" else due.get(e.fingerprint, NEVER))
        for e in events
    ]
