"""Keeping incidents: what each event, each acknowledgement and each quiet minute means for them.

Lives in the writer's thread beside the transaction it writes in. Decisions are taken by
`correlate` and `route`; here their results become rows, and what people have to hear becomes
entries of the outbox. Nothing joins a resolved incident.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from abops.alerts.correlate import Assignment, Candidate, assign
from abops.alerts.model import (
    SEVERITIES,
    Actor,
    AlertEvent,
    DeliveryKind,
    OutboxItem,
    RouteDecision,
    ServiceConfig,
    SuspectedCause,
)
from abops.alerts.route.tree import PAGING_TYPES, decide, fallback_channels
from abops.alerts.service.step import Cause, Step, severity_of, title_of
from abops.alerts.store import incidents as rows
from abops.alerts.store import outbox
from abops.alerts.store.database import Connection
from abops.alerts.store.records import (
    AlertRecord,
    IncidentRecord,
    OutboxEntry,
    TimelineRow,
)
from abops.alerts.store.writer import Unit
from abops.kernel.errors import OpsError

_SILENT_UPDATES = frozenset({"pagerduty", "email"})
_REVIVE_AFTER_S = 60


class IncidentUnknownError(OpsError):
    """There is no incident of this number."""

    hint = "List them with `abops alerts list`."


class IncidentResolvedError(OpsError):
    """The incident is resolved; there is nothing left to take care of."""

    hint = "If it comes back, a new incident opens."


class Incidents:
    """The unresolved incidents and their alerts, in memory and on disk."""

    def __init__(self, config: ServiceConfig) -> None:
        self._config = config
        self._settings = config.settings
        self._window = timedelta(seconds=config.settings.window_s)
        self._alerts: dict[str, AlertRecord] = {}
        self._open: dict[int, IncidentRecord] = {}
        self._of_scope: dict[tuple[str, str], int] = {}
        self._resolved: dict[tuple[str, str], int] = {}
        self._waiting: set[tuple[int, str]] = set()
        self._last_number = 0

    def load(self, connection: Connection, now: float) -> None:
        """Forget everything and read it from the disk."""
        self._open = {record.number: record for record in rows.unresolved(connection)}
        self._of_scope = {(r.service, r.env): r.number for r in self._open.values()}
        self._alerts = {record.fingerprint: record for record in rows.live_alerts(connection)}
        self._resolved = rows.recently_resolved(connection, now)
        self._waiting = outbox.unsent(connection)
        self._last_number = rows.last_number(connection)

    def apply(self, unit: Unit, events: Sequence[AlertEvent]) -> None:
        """Bring the incidents up to these events, and write what changed."""
        self._recall(unit.connection, events)
        step = Step(unit)
        for event in events:
            if event.status == "firing":
                self._fires(step, event)
            else:
                self._ends(step, event)
        step.write()

    def ack(self, unit: Unit, number: int, actor: Actor) -> bool:
        """Record that somebody takes care of it; a second time changes nothing and is False."""
        incident = self._unresolved(number)
        if incident.state == "acked":
            return False
        incident.state, incident.acked_at, incident.acked_by = "acked", unit.now, actor.name
        step = Step(unit)
        step.changed(incident, "acked")
        step.note(
            TimelineRow(
                number, unit.now, "acked", f"{actor.name} takes care of it", actor=actor.name
            )
        )
        for channel in incident.channels:
            self._tell(step, incident, channel, "ack")
        step.write()
        rows.record_audit(
            unit.connection, actor, at=unit.now, action="ack", subject=f"INC-{number}"
        )
        return True

    def unack(self, unit: Unit, number: int, actor: Actor) -> None:
        """Record that nobody takes care of it any more; a second time changes nothing.

        Whoever has not yet been told of the acknowledgement hears of neither. The others are
        told, and who pages rings again.
        """
        incident = self._unresolved(number)
        if incident.state != "acked":
            return
        whose = incident.acked_by
        incident.state, incident.acked_at, incident.acked_by = "open", None, ""
        said = "takes care of it no longer" if actor.name == whose else f"takes it from {whose}"
        step = Step(unit)
        step.changed(incident, "unacked")
        step.note(
            TimelineRow(
                number, unit.now, "unacked", f"{actor.name} {said}; it is open", actor=actor.name
            )
        )
        spared = outbox.withdraw(unit.connection, number, "ack")
        self._waiting = outbox.unsent(unit.connection)
        for channel in incident.channels:
            if channel in spared:  # what the withdrawn message would have said besides
                self._update(step, incident, channel)
            else:
                pages = self._config.routing.channels[channel].type in PAGING_TYPES
                self._tell(step, incident, channel, "unack", Cause(pages, unit.now))
        step.write()
        rows.record_audit(
            unit.connection, actor, at=unit.now, action="unack", subject=f"INC-{number}"
        )

    def resolve_quiet(self, unit: Unit) -> None:
        """Resolve the incidents in which nothing has fired for long enough."""
        latest = unit.now - self._settings.resolve_after_s
        quiet = [r for r in self._open.values() if r.quiet_since and r.quiet_since <= latest]
        if not quiet:
            return
        step = Step(unit)
        for incident in quiet:
            incident.state, incident.resolved_at = "resolved", unit.now
            step.changed(incident, "resolved")
            step.note(TimelineRow(incident.number, unit.now, "resolved", "no alert fires any more"))
            for channel in incident.channels:
                self._tell(step, incident, channel, "resolve")
            self._forget(incident)
        step.write()

    def fall_back(self, unit: Unit, item: OutboxItem, why: str) -> None:
        """Tell the team's fallback channels what one channel has not accepted."""
        incident = self._open.get(item.incident)
        if incident is None:
            return
        step = Step(unit)
        added = [
            name
            for name in fallback_channels(self._config.routing, incident.team)
            if name not in incident.channels
        ]
        for name in added:
            incident.channels = (*incident.channels, name)
            self._tell(step, incident, name, "fallback")
        if added:
            text = f"{item.channel} {why}: {', '.join(added)} told instead"
            step.note(TimelineRow(incident.number, unit.now, "told", text))
            step.changed(incident, "updated")
            step.write()

    def suspect(self, unit: Unit, number: int, causes: tuple[SuspectedCause, ...]) -> None:
        """Note where an incident may have begun; people hear of it with the next edit."""
        incident = self._open.get(number)
        if incident is None or incident.causes == causes:
            return
        before = incident.causes[0].entity if incident.causes else ""
        incident.causes = causes
        step = Step(unit)
        step.changed(incident, "suspected")
        if causes and causes[0].entity != before:
            text = f"likely cause: {causes[0].entity}; {'; '.join(causes[0].terms)}"
            step.note(TimelineRow(number, unit.now, "cause", text))
            for channel in incident.channels:
                self._update(step, incident, channel)
        step.write()

    def claimed(self, number: int, channel: str) -> None:
        """A message is being composed: what changes from now on needs another one."""
        self._waiting.discard((number, channel))

    def firing(self) -> dict[str, float]:
        """Return the fingerprints that fire and when they began."""
        return {r.fingerprint: r.starts_at for r in self._alerts.values() if r.state == "firing"}

    def _unresolved(self, number: int) -> IncidentRecord:
        incident = self._open.get(number)
        if incident is not None:
            return incident
        if number <= self._last_number:
            raise IncidentResolvedError(f"incident {number} is resolved")
        raise IncidentUnknownError(f"there is no incident {number}")

    def _recall(self, connection: Connection, events: Sequence[AlertEvent]) -> None:
        unknown = {e.fingerprint for e in events if e.fingerprint not in self._alerts}
        if unknown:
            for record in rows.alerts_by_fingerprint(connection, unknown):
                self._alerts[record.fingerprint] = record

    def _fires(self, step: Step, event: AlertEvent) -> None:
        starts_at = event.starts_at.timestamp()
        known = self._alerts.get(event.fingerprint)
        if known is not None and not self._begins_again(step, known, event, starts_at):
            return
        labels = event.labels
        service = labels.get("service") or labels.get("job") or labels.get("alertname", "")
        record = AlertRecord(
            fingerprint=event.fingerprint,
            severity=severity_of(labels),
            service=service,
            env=labels.get("env") or self._config.env,
            state="firing",
            starts_at=starts_at,
            ends_at=None,
            ended_by="",
            incident=known.incident if known else None,
        )
        self._alerts[event.fingerprint] = record
        decision = decide(self._config.routing, labels)
        assignment = self._assign(record, step.unit.now)
        if assignment.number is None:
            self._open_incident(step, record, event, decision)
        else:
            self._join(step, self._open[assignment.number], record, event, decision)
        step.alert(record, event, assignment.reason)

    def _begins_again(
        self, step: Step, known: AlertRecord, event: AlertEvent, starts_at: float
    ) -> bool:
        if known.state == "firing":
            known.starts_at = min(known.starts_at, starts_at)
            return False
        ended = known.ends_at or 0.0
        if event.source == "reconcile":
            return step.unit.now - ended > _REVIVE_AFTER_S
        return starts_at > known.starts_at and starts_at >= ended

    def _assign(self, record: AlertRecord, now: float) -> Assignment:
        own = self._open.get(record.incident) if record.incident is not None else None
        latest = self._of_scope.get((record.service, record.env))
        return assign(
            own=_candidate(own),
            of_service=_candidate(self._open[latest]) if latest is not None else None,
            window=self._window,
            now=_moment(now),
        )

    def _open_incident(
        self, step: Step, record: AlertRecord, event: AlertEvent, decision: RouteDecision
    ) -> None:
        now = step.unit.now
        self._last_number += 1
        scope = (record.service, record.env)
        incident = IncidentRecord(
            number=self._last_number,
            title=title_of(event),
            state="open",
            severity=record.severity,
            service=record.service,
            env=record.env,
            team=decision.team,
            opened_at=now,
            updated_at=now,
            started_at=record.starts_at,
            quiet_since=None,
            acked_at=None,
            acked_by="",
            resolved_at=None,
            recurs=self._resolved.get(scope),
            alerts=1,
            firing=1,
            revision=0,
            channels=decision.channels,
            runbook_url=event.annotations.get("runbook_url", ""),
            description=event.annotations.get("description", ""),
        )
        record.incident = incident.number
        self._open[incident.number] = incident
        self._of_scope[scope] = incident.number
        step.changed(incident, "opened")
        step.note(TimelineRow(incident.number, now, "opened", f"{incident.title}; {decision.why}"))
        for channel in decision.channels:
            cause = Cause(channel in decision.pages, record.starts_at)
            self._tell(step, incident, channel, "open", cause)

    def _join(
        self,
        step: Step,
        incident: IncidentRecord,
        record: AlertRecord,
        event: AlertEvent,
        decision: RouteDecision,
    ) -> None:
        now = step.unit.now
        if record.incident != incident.number:
            incident.alerts += 1
            record.incident = incident.number
        incident.firing += 1
        incident.quiet_since = None
        incident.updated_at = now
        rises = SEVERITIES.index(record.severity) < SEVERITIES.index(incident.severity)
        if rises:
            self._rise(incident, record, event, decision)
            step.note(TimelineRow(incident.number, now, "rose", f"now {record.severity}"))
        step.changed(incident, "updated")
        step.joined(incident.number)
        known = incident.channels
        incident.channels = tuple(dict.fromkeys((*known, *decision.channels)))
        for channel in incident.channels:
            cause = Cause(channel in decision.pages, record.starts_at)
            if channel not in known:
                self._tell(step, incident, channel, "open", cause)
            elif rises and channel in decision.channels:
                self._tell(step, incident, channel, "rise", cause)
            else:
                self._update(step, incident, channel)

    def _rise(
        self,
        incident: IncidentRecord,
        record: AlertRecord,
        event: AlertEvent,
        decision: RouteDecision,
    ) -> None:
        """Take over what the more severe alert says; who had acknowledged has to look again."""
        incident.severity = record.severity
        incident.title = title_of(event)
        incident.team = decision.team
        incident.runbook_url = event.annotations.get("runbook_url", incident.runbook_url)
        incident.description = event.annotations.get("description", incident.description)
        incident.state, incident.acked_at, incident.acked_by = "open", None, ""

    def _ends(self, step: Step, event: AlertEvent) -> None:
        known = self._alerts.get(event.fingerprint)
        if known is None or known.state == "resolved":
            return
        if event.starts_at.timestamp() < known.starts_at:
            return
        known.state = "resolved"
        known.ends_at = event.ends_at.timestamp() if event.ends_at else step.unit.now
        known.ended_by = "vanished" if event.source == "reconcile" else "source"
        step.alert(known, event, "")
        incident = self._open.get(known.incident) if known.incident is not None else None
        if incident is None:
            del self._alerts[event.fingerprint]
            return
        incident.firing -= 1
        incident.updated_at = step.unit.now
        if incident.firing <= 0:
            incident.quiet_since = step.unit.now
            text = f"nothing fires; resolves after {self._settings.resolve_after_s:.0f} s"
            step.note(TimelineRow(incident.number, step.unit.now, "quiet", text))
        step.changed(incident, "updated")
        for channel in incident.channels:
            self._update(step, incident, channel)

    def _update(self, step: Step, incident: IncidentRecord, channel: str) -> None:
        """Have the message edited, unless one that waits will say it anyway."""
        if (incident.number, channel) in self._waiting:
            return
        if self._config.routing.channels[channel].type in _SILENT_UPDATES:
            return
        self._tell(step, incident, channel, "update")

    def _tell(
        self,
        step: Step,
        incident: IncidentRecord,
        channel: str,
        kind: DeliveryKind,
        cause: Cause | None = None,
    ) -> None:
        now = step.unit.now
        delay = self._settings.update_every_s if kind == "update" else 0.0
        incident.revision += 1
        self._waiting.add((incident.number, channel))
        step.tell(
            OutboxEntry(
                incident=incident.number,
                channel=channel,
                kind=kind,
                severity=incident.severity,
                page=cause is not None and cause.page,
                since=cause.since if cause else now,
                revision=incident.revision,
                created_at=now,
                next_at=now + delay,
            )
        )

    def _forget(self, incident: IncidentRecord) -> None:
        scope = (incident.service, incident.env)
        del self._open[incident.number]
        if self._of_scope.get(scope) == incident.number:
            del self._of_scope[scope]
        self._resolved[scope] = incident.number
        gone = [f for f, r in self._alerts.items() if r.incident == incident.number]
        for fingerprint in gone:
            del self._alerts[fingerprint]


def _candidate(record: IncidentRecord | None) -> Candidate | None:
    return None if record is None else Candidate(record.number, _moment(record.updated_at))


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
