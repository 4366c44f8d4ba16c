"""Alerts that come and go: told once that they do, then counted until they have settled.

Lives in the writer's thread. The last states stand beside the alert, so a restart forgets
nothing. An alert that fires for the first time costs nothing here.
"""

from typing import Final, Literal

import msgspec

from abops.alerts.service.memory import Memory
from abops.alerts.service.step import Step
from abops.alerts.service.telling import Telling
from abops.alerts.store import incidents as rows
from abops.alerts.store.records import AlertRecord, TimelineRow
from abops.alerts.store.writer import Unit
from abops.alerts.storm.flap import Flap, FlapStep, observed, settled

LOOK_EVERY_S: Final = 30.0
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Flap).decode


class Flapping:
    """Knows which alerts flap."""

    def __init__(self, memory: Memory, telling: Telling) -> None:
        self._memory = memory
        self._telling = telling
        self._flapping: set[str] = set()
        self._looked_at = 0.0

    def load(self, now: float) -> None:
        """Read which of the alerts in memory flap."""
        self._looked_at = now
        self._flapping = {
            record.fingerprint
            for record in self._memory.alerts.values()
            if record.changes and _decode(record.changes).flapping
        }

    def observe(self, step: Step, record: AlertRecord, *, before: AlertRecord | None) -> None:
        """Note that an alert has begun again or ended; `before`: what was known of it."""
        if before is None:
            return
        now, firing = step.unit.now, record.state == "firing"
        first = Flap("0" if firing else "1", record.starts_at)
        known = _decode(before.changes) if before.changes else first
        found = observed(known, firing=firing, at=now)
        record.changes = _encode(found.flap).decode()
        if found.change is not None:
            self._tell(step, record, found, found.change)

    def counts_only(self, record: AlertRecord) -> bool:
        """Say whether changes of an alert are counted instead of told."""
        return record.fingerprint in self._flapping

    def tick(self, unit: Unit) -> None:
        """Let time pass: what has been quiet has settled."""
        if not self._flapping or unit.now - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = unit.now
        step = Step(unit)
        for fingerprint in sorted(self._flapping):
            record = self._memory.alerts.get(fingerprint)
            if record is None or not record.changes:
                self._flapping.discard(fingerprint)
                continue
            found = settled(_decode(record.changes), unit.now)
            if found.change is not None:
                record.changes = _encode(found.flap).decode()
                rows.keep_changes(unit.connection, fingerprint, record.changes)
                self._tell(step, record, found, found.change)
        step.write()

    def _tell(
        self,
        step: Step,
        record: AlertRecord,
        found: FlapStep,
        change: Literal["started", "stopped"],
    ) -> None:
        """Say once that an alert flaps, or that it has settled."""
        if change == "started":
            self._flapping.add(record.fingerprint)
        else:
            self._flapping.discard(record.fingerprint)
        incident = self._memory.open.get(record.incident or 0)
        if incident is None:
            return
        name = record.kind.partition(":")[0]
        said = "flaps, its changes are counted" if change == "started" else "has settled"
        text = f"{name} {said}: {found.reason}"
        step.note(TimelineRow(incident.number, step.unit.now, "note", text))
        step.changed(incident, "updated")
        for channel in incident.channels:
            self._telling.update(step, incident, channel)
