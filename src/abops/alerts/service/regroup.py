"""Making one incident of two and two of one, and telling whoever was told of them.

Alerts that belong to two incidents tie them together by themselves; people do it by hand, and
the correlator learns from that.
"""

from collections.abc import Collection

from abops.alerts.model import Actor, ServiceConfig
from abops.alerts.service.joining import Joining
from abops.alerts.service.memory import Memory
from abops.alerts.service.merging import absorb, detach
from abops.alerts.service.step import Cause, Step
from abops.alerts.service.telling import Telling
from abops.alerts.store import incidents as rows
from abops.alerts.store.records import IncidentRecord, TimelineRow
from abops.alerts.store.writer import Unit
from abops.kernel.errors import OpsError


class RegroupError(OpsError):
    """These incidents cannot be merged or split this way."""

    hint = "Name two open incidents, or some but not all alerts of one."
    exit_code = 2


class Regroup:
    """Merges and splits what is open."""

    def __init__(
        self, config: ServiceConfig, memory: Memory, joining: Joining, telling: Telling
    ) -> None:
        self._routing = config.routing
        self._memory = memory
        self._joining = joining
        self._telling = telling

    def by_hand(self, unit: Unit, number: int, into: int, actor: Actor) -> None:
        """Merge one incident into another because somebody said so.

        Raises IncidentUnknownError, IncidentResolvedError, RegroupError.
        """
        source, target = self._memory.unresolved(number), self._memory.unresolved(into)
        if source is target:
            raise RegroupError(f"INC-{number} cannot be merged into itself")
        if source.env != target.env:
            raise RegroupError(f"INC-{number} is in {source.env}, INC-{into} in {target.env}")
        kinds = [{r.kind for r in self._memory.of(n)} for n in (number, into)]
        self._joining.teach(*kinds, together=True)
        step = Step(unit)
        self.merge(step, number, into, f"{actor.name} merged them", actor.name)
        step.write()
        subject = f"INC-{number} into INC-{into}"
        rows.record_audit(unit.connection, actor, at=unit.now, action="merge", subject=subject)

    def split(self, unit: Unit, number: int, fingerprints: Collection[str], actor: Actor) -> int:
        """Make a new incident of some alerts of one, and return its number.

        Raises IncidentUnknownError, IncidentResolvedError, RegroupError.
        """
        source = self._memory.unresolved(number)
        known = {record.fingerprint: record for record in self._memory.of(number)}
        missing = sorted(set(fingerprints) - set(known))
        if missing:
            raise RegroupError(f"INC-{number} has no alert {missing[0]}")
        moved = [known[fingerprint] for fingerprint in dict.fromkeys(fingerprints)]
        if not 0 < len(moved) < source.alerts:
            raise RegroupError(f"{len(moved)} of the {source.alerts} alerts of INC-{number} named")
        step = Step(unit)
        target = detach(source, moved, self._memory.next_number(), unit.now)
        self._memory.open[target.number] = target
        step.changed(source, "updated")
        step.changed(target, "opened")
        left = f"{len(moved)} alerts are INC-{target.number} now; {actor.name} split it"
        step.note(TimelineRow(number, unit.now, "split", left, actor=actor.name))
        came = f"{actor.name} split it from INC-{number}"
        step.note(TimelineRow(target.number, unit.now, "opened", came, actor=actor.name))
        self._tell_of_split(step, source, target)
        step.write()
        rows.move_members(
            unit.connection,
            number,
            target.number,
            reason=came,
            at=unit.now,
            only=[record.fingerprint for record in moved],
        )
        for record in moved:
            record.incident = target.number
        self._joining.reread(unit.connection)
        stayed = {r.kind for r in self._memory.of(number)}
        self._joining.teach({r.kind for r in moved} - stayed, stayed, together=False)
        subject = f"INC-{target.number} from INC-{number}"
        rows.record_audit(unit.connection, actor, at=unit.now, action="split", subject=subject)
        return target.number

    def merge(self, step: Step, number: int, into: int, why: str, actor: str = "abops") -> None:
        """Make one incident part of another, and tell whoever was told of either."""
        source, target = self._memory.open[number], self._memory.open[into]
        now = step.unit.now
        step.write()  # what is gathered speaks of the incidents as they were
        rows.move_members(
            step.unit.connection, number, into, reason=f"merged from INC-{number}", at=now
        )
        for record in self._memory.of(number):
            record.incident = into
        rises = absorb(target, source, now)
        if source.shape != "candidate" and target.shape == "candidate":
            target.shape = "alerts"
        text = f"INC-{number} ({source.title}) is part of this now; {why}"
        step.note(TimelineRow(into, now, "merged", text, actor=actor))
        step.note(TimelineRow(number, now, "merged", f"part of INC-{into} now; {why}", actor=actor))
        step.changed(source, "resolved")
        step.changed(target, "updated")
        self._tell_of_merge(step, source, target, rises=rises)
        self._joining.merge(number, into)
        self._joining.close(number)
        self._memory.forget(source, came_back_as=into)

    def _tell_of_merge(
        self, step: Step, source: IncidentRecord, target: IncidentRecord, *, rises: bool
    ) -> None:
        spared = self._telling.withdraw(step, source.number, "open")
        for channel in source.channels:
            if channel not in spared:
                self._telling.tell(step, source, channel, "resolve")
        known = target.channels
        target.channels = tuple(dict.fromkeys((*known, *source.channels)))
        for channel in target.channels:
            cause = Cause(self._telling.pages(channel), source.started_at)
            if channel not in known:
                self._telling.tell(step, target, channel, "open", cause)
            elif rises:
                self._telling.tell(step, target, channel, "rise", cause)
            else:
                self._telling.update(step, target, channel)

    def _tell_of_split(self, step: Step, source: IncidentRecord, target: IncidentRecord) -> None:
        """Tell the same channels; a page only if nobody has acknowledged the whole."""
        target.channels = source.channels
        for channel in source.channels:
            pages = self._telling.pages(channel)
            if pages and (source.state == "acked" or target.severity != "critical"):
                continue
            self._telling.tell(step, target, channel, "open", Cause(pages, target.started_at))
        for channel in source.channels:
            self._telling.update(step, source, channel)
