"""Storms as the service keeps them: one incident for what nobody can read one by one.

Lives in the writer's thread. Each alert that begins to fire passes by here before the correlator
is asked. When a storm begins, the young incidents of its scope become one, which stands for it;
what comes after joins that one, and its channels get a digest a minute instead of edits. A
critical kind that was not seen for a week opens an incident of its own, twice in a storm at most.
When it is over nothing joins it any more. What was told is kept with what it tells of, so that a
restart neither pages again nor loses a count.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import Struct

from abops.alerts.model import AlertEvent, ChannelType, ServiceConfig, StormSample
from abops.alerts.service.joining import Joining
from abops.alerts.service.memory import Memory
from abops.alerts.service.regroup import Regroup
from abops.alerts.service.step import Step
from abops.alerts.service.telling import Telling
from abops.alerts.service.watch import NOT_OURS, deadman
from abops.alerts.store import learned, outbox
from abops.alerts.store import storms as rows
from abops.alerts.store.database import Connection
from abops.alerts.store.records import AlertRecord, IncidentRecord, TimelineRow
from abops.alerts.store.storms import StormRow
from abops.alerts.store.writer import Unit
from abops.alerts.storm.detect import Scope, StormBegan, StormChange, StormDetector, StormEnded
from abops.alerts.storm.digest import PAGES, Digest, Say, StormAlert, Told, due
from abops.kernel.clock import moment

Placed = tuple[int | None, str, tuple[str, ...]]
"""The incident an alert joins (None: it opens one), why, and what spoke for it."""

KEEP_EVERY_S: Final = 60.0
YOUNG_S: Final = 300.0
"""Age below which an incident is taken to be the beginning of the storm, not one before it."""
LATELY_S: Final = 60.0
ROW_EVERY_S: Final = 2.0
_MEMORY: Final = "storms"
_SAID_AT_MOST: Final = 200


class Raging(Struct):
    """A storm that is not over."""

    began: StormBegan
    row: StormRow
    digest: Digest
    told: dict[str, Told] = {}
    alone: list[str] = []
    """Fingerprints of the alerts that were told by themselves."""
    written_at: float = 0.0
    to_read: bool = False
    """Whether the digest lacks what its incident held before the storm; read with the next tick,
    so that the alerts of one batch stay one statement."""


class Kept(Struct):
    """What a restart must not lose, besides the rows."""

    detector: dict[str, Any]
    told: dict[str, dict[str, Told]] = {}
    """By scope and channel."""
    alone: dict[str, list[str]] = {}
    """By scope: the fingerprints that were told by themselves."""
    spent: dict[str, list[str]] = {}
    """By scope: the kinds that have paged."""
    said: dict[str, Say] = {}
    """By incident and channel: what the message says that is on its way."""


class Storms:
    """Notices storms and keeps their incidents."""

    def __init__(
        self,
        config: ServiceConfig,
        memory: Memory,
        joining: Joining,
        telling: Telling,
        regroup: Regroup,
    ) -> None:
        self._routing = config.routing
        self._memory = memory
        self._joining = joining
        self._telling = telling
        self._regroup = regroup
        self._own = {deadman(config.env, since=moment(0.0)).fingerprint}
        self._detector = StormDetector()
        self._raging: dict[Scope, Raging] = {}
        self._said: dict[str, Say] = {}
        self._kinds: dict[str, float] = {}
        self._kept_at = 0.0
        self._changed = False
        self._urgent = False
        """Whether what was decided has to be kept in the same transaction."""

    def load(self, connection: Connection, now: float) -> None:
        """Read what was learned, what rages, and what was told of it."""
        content = learned.recall(connection, _MEMORY)
        kept = Kept({}) if content is None else msgspec.convert(content, Kept)
        self._detector = StormDetector.restore(kept.detector) if kept.detector else StormDetector()
        self._said, self._kinds = kept.said, rows.kinds_seen(connection)
        self._raging, self._kept_at = {}, now
        self._changed = self._urgent = False
        written = {row.scope: row for row in rows.running(connection)}
        begun = {began: written.get(str(began.scope)) for began in self._detector.running()}
        seen = rows.members(connection, {row.incident for row in begun.values() if row})
        for began, known in begun.items():
            name, row = str(began.scope), known or _row_of(began)
            raging = Raging(began, row, _digest(began, seen.get(row.incident, [])))
            raging.digest.alone = kept.spent.get(name, [])
            raging.told, raging.alone = kept.told.get(name, {}), kept.alone.get(name, [])
            self._raging[began.scope] = raging
        self._telling.muted = {r.row.incident for r in self._raging.values()}

    def place(self, step: Step, record: AlertRecord, event: AlertEvent) -> Placed | None:
        """Count an alert that begins to fire. Return where a storm puts it; None: nowhere."""
        if event.source == "abops" or event.labels.get("alertname") in NOT_OURS:
            return None
        if record.suppressed:  # nobody is told of it: it adds to no flood of messages
            return None
        now = step.unit.now
        last_seen = self._kinds.get(record.kind)
        self._kinds[record.kind] = now
        self._changed = True
        if changes := self._detector.observe(now, record.env, record.service):
            self._heed(step, changes)
        began = self._detector.storm_over(record.env, record.service)
        if began is None or (record.incident is not None and record.incident in self._memory.open):
            return None
        raging = self._raging[began.scope]
        if not self._has_incident(step, raging):
            return None
        number = raging.row.incident
        alert = _alert(record, event.labels, now)
        if raging.digest.observe(alert, last_seen, alone_at_most=self._alone_at_most(number)):
            raging.alone.append(record.fingerprint)
            self._urgent = True
            return None, f"critical and not seen for a week: not part of INC-{number}", ()
        return number, f"part of the storm over {began.scope}", ()

    def _alone_at_most(self, number: int) -> int:
        """Return how many kinds may page alone: whom the storm itself has woken is awake."""
        told = self._memory.open[number].channels
        return PAGES - max(sum(self._telling.pages(channel) for channel in told), 1)

    def is_storm(self, number: int | None) -> bool:
        """Say whether an incident stands for a storm that is not over."""
        return number in self._telling.muted

    def tick(self, unit: Unit) -> None:
        """Let time pass: digests become due, storms end."""
        changes = self._detector.tick(unit.now)
        if changes or self._raging:
            step = Step(unit)
            self._heed(step, changes)
            step.write()
            for raging in self._raging.values():
                if raging.row.incident in self._memory.open:
                    self._read_digest(unit, raging)
                    self._tell(step, raging)
                    if unit.now - raging.written_at >= ROW_EVERY_S:
                        self._write_row(unit, raging)
            step.write()
        self.keep(unit)

    def keep(self, unit: Unit) -> None:
        """Write what a restart must not lose: decisions at once, what was learned now and then."""
        late = unit.now - self._kept_at >= KEEP_EVERY_S
        if self._urgent or (self._changed and late):
            learned.keep(unit.connection, _MEMORY, self._state(), at=unit.now)
            self._kept_at, self._changed, self._urgent = unit.now, False, False

    def said(self, number: int, channel: str) -> Say | None:
        """Return what the digest says that is on its way to a channel."""
        return self._said.get(_key(number, channel))

    def _heed(self, step: Step, changes: tuple[StormChange, ...]) -> None:
        for change in changes:
            if isinstance(change, StormBegan):
                raging = Raging(change, _row_of(change), Digest(change.at))
                self._raging[change.scope] = raging
                self._has_incident(step, raging)
            elif change.scope in self._raging:
                self._end(step, self._raging.pop(change.scope), change)
        self._urgent = self._urgent or bool(changes)

    def _has_incident(self, step: Step, raging: Raging) -> bool:
        """Say whether the storm has its incident; choose it among those that are open."""
        if raging.row.incident in self._memory.open:
            return True
        found = self._young(raging.began.scope, step.unit.now)
        if found:
            self._become(step, raging, found[0].number, [i.number for i in found[1:]])
        return bool(found)

    def _young(self, scope: Scope, now: float) -> list[IncidentRecord]:
        """Return the incidents the storm began with, the oldest first; else the largest."""
        alone = {f for raging in self._raging.values() for f in raging.alone} | self._own
        apart = {r.incident for f in alone if (r := self._memory.alerts.get(f))}
        lately = [
            incident
            for incident in self._memory.open.values()
            if incident.env == scope.env
            and scope.service in ("", incident.service)
            and incident.updated_at >= now - LATELY_S
            and incident.number not in apart
        ]
        young = [incident for incident in lately if incident.opened_at >= now - YOUNG_S]
        if young or not lately:
            return sorted(young, key=lambda i: i.number)
        return [max(lately, key=lambda i: i.alerts)]

    def _become(self, step: Step, raging: Raging, number: int, others: list[int]) -> None:
        """Make one incident of what the storm began with, and have it stand for the storm."""
        unit, began = step.unit, raging.began
        for other in others:
            self._regroup.merge(step, other, number, f"part of the storm over {began.scope}")
        incident = self._memory.open[number]
        incident.shape = "storm"
        incident.title = f"Storm over {began.scope}: {began.rate} alerts in a minute"
        incident.description = began.reason
        self._telling.muted.discard(raging.row.incident)
        self._telling.muted.add(number)
        self._joining.close(number)
        unit.channels |= outbox.release(unit.connection, number, unit.now)
        if number in self._telling.held:
            self._telling.tell_now(step, number)
        step.note(TimelineRow(number, unit.now, "storm", began.reason))
        step.changed(incident, "updated")
        raging.digest = Digest(began.at, alone=raging.digest.alone)
        if others and not raging.digest.alone:  # pages before it count against the same few
            step.write()
            paged = outbox.pages_of(unit.connection, [number, *others])
            raging.digest.alone = [""] * (paged - 1)
        raging.to_read = True
        raging.told = {}
        raging.row.incident = number
        if not raging.row.id:
            raging.row.id = rows.begin(unit.connection, raging.row)
        self._tell(step, raging)
        self._write_row(unit, raging)

    def _end(self, step: Step, raging: Raging, ended: StormEnded) -> None:
        number, now = raging.row.incident, step.unit.now
        incident = self._memory.open.get(number)
        if all(other.row.incident != number for other in self._raging.values()):
            self._telling.muted.discard(number)
        raging.row.rate = max(raging.row.rate, ended.peak)
        if incident is not None and ended.into is not None:
            self._absorb(step, raging, self._raging.get(ended.into))
        elif incident is not None:
            incident.title = f"Storm over {ended.scope}: over after {self._total(raging)} alerts"
            step.note(TimelineRow(number, now, "storm", ended.reason))
            step.changed(incident, "updated")
            self._tell(step, raging, over=True)
            self._write_row(step.unit, raging)
        raging.row.ended_at = now
        self._write_row(step.unit, raging)

    def _absorb(self, step: Step, raging: Raging, wider: Raging | None) -> None:
        """Make a storm's incident part of the wider storm's."""
        number = raging.row.incident
        if wider is None or wider.row.incident == number:
            return
        if wider.row.incident not in self._memory.open:
            self._become(step, wider, number, [])
            return
        why = f"its storm is part of the one over {wider.began.scope}"
        self._regroup.merge(step, number, wider.row.incident, why)
        wider.to_read = True

    def _tell(self, step: Step, raging: Raging, *, over: bool = False) -> None:
        """Have the channels told that have not heard of it for a minute."""
        incident = self._memory.open[raging.row.incident]
        channels: list[tuple[str, ChannelType]] = [
            (name, self._routing.channels[name].type)
            for name in incident.channels
            if over or not self._telling.waits(incident.number, name)
        ]
        says = due(channels, raging.told, self._total(raging), step.unit.now, over=over)
        for say in says:
            raging.told[say.channel] = say.told
            self._said[_key(incident.number, say.channel)] = say
            if self._routing.channels[say.channel].type != "pagerduty":  # rung by its incident
                self._telling.tell(step, incident, say.channel, "digest")
                step.changed(incident, "updated")
        while len(self._said) > _SAID_AT_MOST:
            del self._said[next(iter(self._said))]
        if says:
            self._write_row(step.unit, raging)
            self._urgent = True

    def _read_digest(self, unit: Unit, raging: Raging) -> None:
        if raging.to_read:
            spent = raging.digest.alone
            number = raging.row.incident
            raging.digest = _digest(raging.began, rows.members(unit.connection, {number})[number])
            raging.digest.alone, raging.to_read, raging.written_at = spent, False, 0.0

    def _total(self, raging: Raging) -> int:
        """Return the alerts of a storm: those of its incident, and those told by themselves."""
        return self._memory.open[raging.row.incident].alerts + len(raging.alone)

    def _write_row(self, unit: Unit, raging: Raging) -> None:
        row, scope = raging.row, raging.began.scope
        if not row.id:
            return
        if row.ended_at is None and row.incident in self._memory.open:
            row.alerts = self._total(raging)
        row.paged_alone = len(raging.alone)
        row.digested = row.alerts - row.paged_alone
        row.rate = max(row.rate, self._detector.rate(scope.env, scope.service)[0])
        row.samples = tuple(
            StormSample(r.alert.kind, r.alert.entity, r.alert.severity, r.stands_for, r.reason)
            for r in raging.digest.representatives({})
        )
        rows.update(unit.connection, row)
        raging.written_at = unit.now

    def _state(self) -> dict[str, object]:
        storms = {str(scope): raging for scope, raging in self._raging.items()}
        kept = Kept(
            self._detector.state(),
            told={name: raging.told for name, raging in storms.items()},
            alone={name: raging.alone for name, raging in storms.items()},
            spent={name: raging.digest.alone for name, raging in storms.items()},
            said=self._said,
        )
        built: dict[str, object] = msgspec.to_builtins(kept)
        return built


def _digest(began: StormBegan, members: Iterable[rows.MemberSeen]) -> Digest:
    """Return the digest of what is in a storm's incident; nothing of it pages any more."""
    digest = Digest(began.at)
    for member in members:
        digest.take_in(_as_alert(member), member.alike)
    return digest


def _row_of(began: StormBegan) -> StormRow:
    return StormRow(0, str(began.scope), 0, began.at, float(began.rate), began.baseline)


def _alert(record: AlertRecord, labels: dict[str, str], at: float) -> StormAlert:
    entity, cluster = _places(labels, record.service)
    return StormAlert(record.fingerprint, record.kind, entity, cluster, record.severity, at)


def _as_alert(seen: rows.MemberSeen) -> StormAlert:
    entity, cluster = _places(seen.labels, seen.service)
    return StormAlert(seen.fingerprint, seen.kind, entity, cluster, seen.severity, seen.at)


def _places(labels: dict[str, str], service: str) -> tuple[str, str]:
    """Return what an alert is about, and the group that is part of."""
    return labels.get("pod") or labels.get("instance") or service, labels.get("node") or service


def _key(number: int, channel: str) -> str:
    return f"{number}/{channel}"
