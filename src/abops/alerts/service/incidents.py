"""Keeping incidents: what each event, each acknowledgement and each quiet minute means for them.

Lives in the writer's thread beside the transaction it writes in. Decisions are taken by
`correlate` and `route`; here their results become rows, and what people have to hear becomes
entries of the outbox. Nothing joins a resolved incident.
"""

from collections.abc import Iterable, Sequence

from abops.alerts.correlate.placing import outlasts, service_of
from abops.alerts.model import (
    SEVERITIES,
    Actor,
    AlertEvent,
    OutboxItem,
    RouteDecision,
    ServiceConfig,
    SuspectedCause,
)
from abops.alerts.route.tree import decide, fallback_channels
from abops.alerts.service.actions import Actions
from abops.alerts.service.duty import Duty
from abops.alerts.service.flapping import Flapping
from abops.alerts.service.joining import Joining, kind_in
from abops.alerts.service.judging import Judging
from abops.alerts.service.memory import Memory
from abops.alerts.service.passing import Passing
from abops.alerts.service.regroup import Regroup
from abops.alerts.service.step import Cause, Step, severity_of, title_of
from abops.alerts.service.storms import Storms
from abops.alerts.service.telling import Telling
from abops.alerts.service.threshold import enough
from abops.alerts.store import incidents as rows
from abops.alerts.store.database import Connection
from abops.alerts.store.records import (
    AlertRecord,
    IncidentRecord,
    TimelineRow,
)
from abops.alerts.store.writer import Unit

_SILENT_UPDATES = frozenset({"pagerduty", "email"})
_REVIVE_AFTER_S = 60


class Incidents:
    """The unresolved incidents and their alerts, in memory and on disk."""

    def __init__(self, config: ServiceConfig) -> None:
        self._config = config
        self._settings = config.settings
        self._joining = Joining(config)
        self._memory = Memory()
        self._telling = Telling(config)
        self._tell, self._update = self._telling.tell, self._telling.update
        self.regroup = Regroup(config, self._memory, self._joining, self._telling)
        self.storms = Storms(config, self._memory, self._joining, self._telling, self.regroup)
        self.passing = Passing(self._memory, self._telling)
        self.flapping = Flapping(self._memory, self._telling)
        self.duty = Duty(config, self._memory, self._telling)
        self.actions = Actions(self._memory, self._joining, self._telling)
        self.judging = Judging(self._memory, self._telling)

    def load(self, connection: Connection, now: float) -> None:
        """Forget everything and read it from the disk."""
        self._memory.load(connection, now)
        self._telling.load(connection, now)
        self._joining.load(connection, now)
        self.duty.load(connection, now)
        self.storms.load(connection, now)
        self.passing.load(connection, now)
        self.flapping.load(now)
        self.judging.load()

    def saw_calls(self, calls: Iterable[tuple[str, str]], now: float) -> None:
        """Note which parts were seen to call which."""
        self._joining.saw(calls, now)

    def apply(self, unit: Unit, events: Sequence[AlertEvent]) -> None:
        """Bring the incidents up to these events, and write what changed."""
        self._recall(unit.connection, events)
        step = Step(unit)
        for event in events:
            if event.status == "firing":
                self._fires(step, event)
            else:
                self._ends(step, event)
        self.duty.review(step)
        step.write()
        self.storms.keep(unit)

    def ack(self, unit: Unit, number: int, actor: Actor) -> bool:
        """Record that somebody takes care of it; a second time changes nothing and is False."""
        incident = self._memory.unresolved(number)
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
        incident = self._memory.unresolved(number)
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
        spared = self._telling.withdraw(step, number, "ack")
        for channel in incident.channels:
            if actor.via == "pagerduty" and self._pagers(incident) == [channel]:
                continue  # it was taken back there, where it rings again by itself
            if channel in spared:  # what the withdrawn message would have said besides
                self._update(step, incident, channel)
            else:
                pages = self._telling.pages(channel)
                self._tell(step, incident, channel, "unack", Cause(pages, unit.now))
        step.write()
        rows.record_audit(
            unit.connection, actor, at=unit.now, action="unack", subject=f"INC-{number}"
        )

    def _pagers(self, incident: IncidentRecord) -> list[str]:
        """Return the PagerDuty channels that were told: each key has incidents of its own."""
        kinds = self._config.routing.channels
        return [name for name in incident.channels if kinds[name].type == "pagerduty"]

    def resolve_quiet(self, unit: Unit) -> None:
        """Resolve the incidents in which nothing has fired for long enough."""
        latest = unit.now - self._settings.resolve_after_s
        quiet = [
            r
            for r in self._memory.open.values()
            if r.quiet_since and r.quiet_since <= latest and not self.storms.is_storm(r.number)
        ]
        if not quiet:
            return
        step = Step(unit)
        for incident in quiet:
            incident.state, incident.resolved_at = "resolved", unit.now
            step.changed(incident, "resolved")
            step.note(TimelineRow(incident.number, unit.now, "resolved", "no alert fires any more"))
            for channel in incident.channels:
                self._tell(step, incident, channel, "resolve")
            scope = (incident.service, incident.env)
            before = self._memory.resolved.get(scope)
            self._memory.forget(incident)
            if incident.shape == "candidate":  # nobody knew of it, so nothing comes back
                self._memory.resolved.pop(scope)
                if before is not None:
                    self._memory.resolved[scope] = before
            self._joining.close(incident.number)
        step.write()

    def fall_back(self, unit: Unit, item: OutboxItem, why: str) -> None:
        """Tell the team's fallback channels what one channel has not accepted."""
        incident = self._memory.open.get(item.incident)
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
        incident = self._memory.open.get(number)
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
        self._telling.claimed(number, channel)

    def firing(self) -> dict[str, float]:
        """Return the fingerprints that fire and when they began."""
        return {
            r.fingerprint: r.starts_at for r in self._memory.alerts.values() if r.state == "firing"
        }

    def _recall(self, connection: Connection, events: Sequence[AlertEvent]) -> None:
        unknown = {e.fingerprint for e in events if e.fingerprint not in self._memory.alerts}
        if unknown:
            for record in rows.alerts_by_fingerprint(connection, unknown):
                self._memory.alerts[record.fingerprint] = record

    def _fires(self, step: Step, event: AlertEvent) -> None:
        starts_at = event.starts_at.timestamp()
        known = self._memory.alerts.get(event.fingerprint)
        if known is not None and not self._begins_again(step, known, event, starts_at):
            return
        labels = event.labels
        record = AlertRecord(
            fingerprint=event.fingerprint,
            severity=severity_of(labels),
            service=service_of(labels),
            env=labels.get("env") or self._config.env,
            state="firing",
            starts_at=starts_at,
            ends_at=None,
            ended_by="",
            incident=known.incident if known and self._goes_on(known, step.unit.now) else None,
            kind=kind_in(event),
        )
        self._memory.alerts[event.fingerprint] = record
        decision = self.duty.hush.decide(record, labels, decide(self._config.routing, labels))
        number, reason, terms = self._place(step, record, event)
        decision = enough(self._memory, number, record, decision, step.unit.now)
        if number is None:
            self._open_incident(step, record, event, decision)
        else:
            self._join(step, self._memory.open[number], record, event, decision)
        if record.severity == "critical" and record.incident is not None and decision.channels:
            self.duty.policies.setdefault(record.incident, decision.policy)
        self.passing.began(step, record)
        self.flapping.observe(step, record, before=known)
        if not self.storms.is_storm(record.incident):
            self._joining.record(record, event, step.unit.now, first=number is None)
        step.alert(record, event, reason, terms)

    def _goes_on(self, known: AlertRecord, now: float) -> bool:
        """Say whether the fault still goes on that an alert was part of before it ended.

        A budget that is spent holds an incident open for days. What comes back meanwhile is the
        next fault, unless it ended lately or something else of the first one still fires.
        """
        lately = now - self._settings.gap_s
        if outlasts(known.kind, known.severity) or (known.ends_at or 0.0) >= lately:
            return True
        if known.incident is None or known.incident not in self._memory.open:
            return True
        return any(
            other.state == "firing" or (other.ends_at or 0.0) >= lately
            for other in self._memory.of(known.incident)
            if other is not known and not outlasts(other.kind, other.severity)
        )

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

    def _place(
        self, step: Step, record: AlertRecord, event: AlertEvent
    ) -> tuple[int | None, str, tuple[str, ...]]:
        """Return the incident the alert joins, and why; those it ties together become one."""
        placed = self.storms.place(step, record, event)
        if placed is not None:
            return placed
        if record.incident is not None and record.incident in self._memory.open:
            return record.incident, "it was in this incident before", ()
        match = self._joining.match(record, event, step.unit.now)
        terms = match.words
        if not match.groups:
            return None, match.reason, terms
        oldest, *younger = match.groups
        for number in younger:
            why = f"{kind_in(event).partition(':')[0]} belongs to both: {'; '.join(terms)}"
            self.regroup.merge(step, number, oldest, why)
        return oldest, match.reason, terms

    def _open_incident(
        self, step: Step, record: AlertRecord, event: AlertEvent, decision: RouteDecision
    ) -> None:
        now = step.unit.now
        scope = (record.service, record.env)
        incident = IncidentRecord(
            number=self._memory.next_number(),
            title=title_of(event),
            state="open",
            severity=record.severity,
            service=record.service,
            env=record.env,
            team=decision.team,
            opened_at=now,
            updated_at=now,
            started_at=record.starts_at,
            recurs=self._memory.resolved.get(scope),
            channels=decision.channels,
            runbook_url=event.annotations.get("runbook_url", ""),
            description=event.annotations.get("description", ""),
        )
        record.incident = incident.number
        self._memory.open[incident.number] = incident
        if not decision.channels and not record.suppressed:
            incident.shape = "candidate"
        step.changed(incident, "updated" if incident.shape == "candidate" else "opened")
        step.note(TimelineRow(incident.number, now, "opened", f"{incident.title}; {decision.why}"))
        if decision.digest == "always":
            self._telling.digested.add(incident.number)
        self._telling.joined(step, incident, decision)
        hold_s = 0.0 if decision.pages else self.passing.hold_s(step, record, incident.number)
        if decision.digest == "unlikely" and record.severity == "warning":
            hold_s = max(hold_s, self.judging.hold_s)
        for channel in decision.channels:
            cause = Cause(channel in decision.pages, record.starts_at, hold_s)
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
        worse = SEVERITIES.index(record.severity) < SEVERITIES.index(incident.severity)
        rises = worse and bool(decision.channels)
        if rises:
            self._rise(incident, record, event, decision)
            step.note(TimelineRow(incident.number, now, "rose", f"now {record.severity}"))
        if incident.shape == "candidate" and decision.channels:
            incident.shape, incident.opened_at = "alerts", now
            step.note(TimelineRow(incident.number, now, "opened", decision.why))
            step.changed(incident, "opened")
        step.changed(incident, "updated")
        step.joined(incident.number)
        self._telling.joined(step, incident, decision)
        known = incident.channels
        incident.channels = tuple(dict.fromkeys((*known, *decision.channels)))
        for channel in incident.channels:
            cause = Cause(channel in decision.pages, record.starts_at)
            if channel not in known:
                self._tell(step, incident, channel, "open", cause)
            elif rises and channel in decision.channels:
                self._tell(step, incident, channel, "rise", cause)
            elif not self.flapping.counts_only(record):
                self._update(step, incident, channel)

    def _rise(
        self,
        incident: IncidentRecord,
        record: AlertRecord,
        event: AlertEvent,
        decision: RouteDecision,
    ) -> None:
        """Take over what the more severe alert says; who had acknowledged has to look again."""
        incident.severity, incident.service = record.severity, record.service
        if incident.shape != "storm":
            incident.title = title_of(event)
        incident.team = decision.team
        if incident.shape != "storm":
            incident.runbook_url = event.annotations.get("runbook_url", incident.runbook_url)
            incident.description = event.annotations.get("description", incident.description)
        incident.state, incident.acked_at, incident.acked_by = "open", None, ""

    def _ends(self, step: Step, event: AlertEvent) -> None:
        known = self._memory.alerts.get(event.fingerprint)
        if known is None or known.state == "resolved":
            return
        if event.starts_at.timestamp() < known.starts_at:
            return
        known.state = "resolved"
        known.ends_at = event.ends_at.timestamp() if event.ends_at else step.unit.now
        known.ended_by = "vanished" if event.source == "reconcile" else "source"
        self.flapping.observe(step, known, before=known)
        step.alert(known, event, "")
        incident = self._memory.open.get(known.incident) if known.incident is not None else None
        if incident is None:
            self.passing.ended(step, known, None)
            del self._memory.alerts[event.fingerprint]
            return
        incident.firing -= 1
        incident.updated_at = step.unit.now
        if incident.firing <= 0:
            incident.quiet_since = step.unit.now
            text = f"nothing fires; resolves after {self._settings.resolve_after_s:.0f} s"
            step.note(TimelineRow(incident.number, step.unit.now, "quiet", text))
        self.passing.ended(step, known, incident)
        step.changed(incident, "updated")
        if not self.flapping.counts_only(known):
            for channel in incident.channels:
                self._update(step, incident, channel)
