"""What people do with an incident besides acknowledging: resolve, assign, note, call it noise.

Each is one step in the writer's thread, with its line in the timeline and its row of audit.
"""

from abops.alerts.model import Actor, EventKind
from abops.alerts.service.joining import Joining
from abops.alerts.service.memory import Memory
from abops.alerts.service.step import Step
from abops.alerts.service.telling import Telling
from abops.alerts.store import incidents as rows
from abops.alerts.store import responses
from abops.alerts.store.records import IncidentRecord, TimelineRow
from abops.alerts.store.writer import Unit


class Actions:
    """Changes one unresolved incident because somebody said so."""

    def __init__(self, memory: Memory, joining: Joining, telling: Telling) -> None:
        self._memory = memory
        self._joining = joining
        self._telling = telling

    def resolve(self, unit: Unit, number: int, actor: Actor) -> None:
        """Record that it is over, whatever still fires; all who were told hear of it.

        An alert that goes on firing opens nothing: it has to end and come back for that.
        """
        incident = self._memory.unresolved(number)
        incident.state, incident.resolved_at = "resolved", unit.now
        text = f"{actor.name} resolved it"
        if incident.firing:
            text += f" while {incident.firing} alerts were firing"
        step = self._step(
            unit, incident, "resolved", TimelineRow(number, unit.now, "resolved", text, actor.name)
        )
        for channel in incident.channels:
            self._telling.tell(step, incident, channel, "resolve")
        self._memory.forget(incident)
        self._joining.close(number)
        step.write()
        _audit(unit, actor, "resolve", number)

    def assign(self, unit: Unit, number: int, owner: str, actor: Actor) -> None:
        """Record whose it is; nobody's when `owner` is empty. The same owner changes nothing."""
        incident = self._memory.unresolved(number)
        if incident.owner == owner:
            return
        incident.owner = owner
        text = f"{actor.name} gave it to {owner}" if owner else f"{actor.name} made it nobody's"
        if owner == actor.name:
            text = f"{owner} took it over"
        step = self._step(
            unit, incident, "updated", TimelineRow(number, unit.now, "note", text, actor.name)
        )
        for channel in incident.channels:
            self._telling.update(step, incident, channel)
        step.write()
        _audit(unit, actor, f"assign to {owner or 'nobody'}", number)

    def note(self, unit: Unit, number: int, text: str, actor: Actor) -> None:
        """Add a line to its timeline. A resolved incident takes notes too."""
        incident = self._memory.open.get(number)
        row = TimelineRow(number, unit.now, "note", text, actor.name)
        if incident is None:
            self._memory.known(number)
            step = Step(unit)
            step.note(row)
        else:
            step = self._step(unit, incident, "updated", row)
        step.write()
        _audit(unit, actor, "note", number)

    def noise(self, unit: Unit, number: int, actor: Actor, *, noise: bool) -> None:
        """Record whether it was worth telling anybody, also when it is over.

        The same again changes nothing.
        """
        word = "noise: nobody had to act" if noise else "no noise after all"
        row = TimelineRow(number, unit.now, "note", f"{actor.name} called it {word}", actor.name)
        incident = self._memory.open.get(number)
        if incident is None:
            self._memory.known(number)
            if not responses.mark_noise(unit.connection, number, noise=noise):
                return
            step = Step(unit)
            step.note(row)
        else:
            if bool(incident.noise) == noise:
                return
            incident.noise = int(noise)
            step = self._step(unit, incident, "updated", row)
        step.write()
        _audit(unit, actor, "noise" if noise else "no noise", number)

    @staticmethod
    def _step(unit: Unit, incident: IncidentRecord, kind: EventKind, row: TimelineRow) -> Step:
        step = Step(unit)
        step.changed(incident, kind)
        step.note(row)
        return step


def _audit(unit: Unit, actor: Actor, action: str, number: int) -> None:
    rows.record_audit(unit.connection, actor, at=unit.now, action=action, subject=f"INC-{number}")
