"""Holding what mostly passes by itself, so that nobody reads what is over before it is read.

Lives in the writer's thread. Of each kind it is counted how often its alerts end within a minute
and a half; when nearly all do, the first message of an incident that is neither critical nor a
page waits that long. If all is over by then, nobody is told; if anything else joins, everybody
is at once. What is held stands in the outbox, so a restart forgets nothing.
"""

from typing import Final

import msgspec

from abops.alerts.service.memory import Memory
from abops.alerts.service.step import Step
from abops.alerts.service.telling import Telling
from abops.alerts.store import learned, outbox
from abops.alerts.store.database import Connection
from abops.alerts.store.records import AlertRecord, IncidentRecord, TimelineRow
from abops.alerts.store.writer import Unit
from abops.alerts.storm.transient import HOLD_S, Counts, Transients

KEEP_EVERY_S: Final = 60.0
_MEMORY: Final = "transients"


class Passing:
    """Knows which kinds pass by themselves, and what is held because of it."""

    def __init__(self, memory: Memory, telling: Telling) -> None:
        self._memory = memory
        self._telling = telling
        self._transients = Transients()
        self._young: dict[str, tuple[float, str]] = {}
        """When alerts began of which it is not known yet whether they pass, and their kinds."""
        self._held: set[int] = set()
        self._kept_at = 0.0
        self._changed = False

    def load(self, connection: Connection, now: float) -> None:
        """Read what was learned and what is held; alerts under way are not counted."""
        content = learned.recall(connection, _MEMORY)
        kinds = {} if content is None else msgspec.convert(content, dict[str, Counts])
        self._transients = Transients(kinds)
        self._held = outbox.held(connection, now)
        self._young, self._kept_at, self._changed = {}, now, False

    def hold_s(self, step: Step, record: AlertRecord, number: int) -> float:
        """Return how long the first message of an alert's new incident waits."""
        hold = self._transients.hold(record.kind, record.severity, step.unit.now)
        if hold.until is None:
            return 0.0
        self._held.add(number)
        step.note(TimelineRow(number, step.unit.now, "note", hold.reason))
        return HOLD_S

    def began(self, step: Step, record: AlertRecord) -> None:
        """Watch whether an alert passes; what joins a held incident may be reason to tell."""
        self._young.pop(record.fingerprint, None)
        self._young[record.fingerprint] = (step.unit.now, record.kind)
        number = record.incident
        if number is None or number not in self._held or number not in self._memory.open:
            return
        hold = self._transients.hold(record.kind, record.severity, step.unit.now)
        if hold.until is None:
            self.release(step, number)

    def ended(self, step: Step, record: AlertRecord, incident: IncidentRecord | None) -> None:
        """Learn from an alert that ended; take back what nobody has to hear any more."""
        began = self._young.pop(record.fingerprint, None)
        if began is not None:
            self._transients.learn(began[1], step.unit.now - began[0])
            self._changed = True
        if incident is None or incident.firing > 0:
            return
        if incident.number not in self._held | self._telling.held:
            return
        self._held.discard(incident.number)
        self._telling.held.discard(incident.number)
        step.write()  # the message may have been gathered in this very step
        spared = self._telling.withdraw(step, incident.number, "open")
        if spared:
            incident.channels = tuple(c for c in incident.channels if c not in spared)
            text = f"over before it was told: {', '.join(sorted(spared))} not told"
            step.note(TimelineRow(incident.number, step.unit.now, "note", text))

    def release(self, step: Step, number: int) -> None:
        """Have an incident's first message told now, or in the morning when its team sleeps."""
        now = step.unit.now
        step.write()
        at = self._telling.release_at(self._memory.open[number], now)
        if at <= now:
            self._held.discard(number)
            step.unit.channels |= outbox.release(step.unit.connection, number, now)

    def tick(self, unit: Unit) -> None:
        """Let time pass: what still fires after the hold has stayed."""
        while self._young:
            fingerprint, (began, kind) = next(iter(self._young.items()))
            if unit.now - began <= HOLD_S:
                break
            del self._young[fingerprint]
            self._transients.learn(kind, unit.now - began)
            self._changed = True
        self._held &= self._memory.open.keys()
        if self._changed and unit.now - self._kept_at >= KEEP_EVERY_S:
            kept: dict[str, object] = msgspec.to_builtins(self._transients.kinds)
            learned.keep(unit.connection, _MEMORY, kept, at=unit.now)
            self._kept_at, self._changed = unit.now, False
