"""Keeping silenced alerts from people, and telling of those that still fire when it is over.

Lives in the writer's thread. Silenced alerts are stored, grouped and shown like all others.
"""

from collections import defaultdict
from datetime import timedelta
from typing import Literal

import msgspec
from msgspec.structs import replace

from abops.alerts.model import SEVERITIES, Actor, RouteDecision, ServiceConfig
from abops.alerts.route.matcher import parse_matchers
from abops.alerts.route.silence import Quiet, silenced_by
from abops.alerts.route.tree import decide
from abops.alerts.route.window import LONGEST, Schedule
from abops.alerts.service.memory import Memory
from abops.alerts.service.step import Cause, Step
from abops.alerts.service.telling import Telling
from abops.alerts.service.threshold import enough
from abops.alerts.store import duty as rows
from abops.alerts.store.database import Connection
from abops.alerts.store.incidents import record_audit
from abops.alerts.store.records import AlertRecord, IncidentRecord, TimelineRow
from abops.alerts.store.writer import Unit
from abops.kernel.errors import OpsError

What = Literal["silence", "window"]


class SilenceError(OpsError):
    """This silence or window cannot be kept."""

    hint = "Give matchers, a reason, and an end within 7 days."
    exit_code = 2


class SilenceUnknownError(OpsError):
    """There is no such silence or window, or it has ended."""

    hint = "List them: `abops alerts silence list`, `abops alerts maintenance list`."


class Hush:
    """Knows the silences and windows, and which alerts they keep from people."""

    def __init__(
        self,
        config: ServiceConfig,
        memory: Memory,
        telling: Telling,
        policies: dict[int, str] | None = None,
    ) -> None:
        self._routing = config.routing
        self._memory = memory
        self._telling = telling
        self._policies = {} if policies is None else policies
        self._known: list[Quiet] = []
        self._active: list[Quiet] = []
        self._dirty = True

    def load(self, connection: Connection, now: float) -> None:
        """Read what is silenced; what ended meanwhile is told at the first tick."""
        self._known = [
            *(quiet_of("silence", row) for row in rows.silences(connection, now)),
            *(quiet_of("window", row) for row in rows.windows(connection, now)),
        ]
        self._active = [quiet for quiet in self._known if quiet.is_open(now)]
        self._dirty = True

    def decide(
        self, record: AlertRecord, labels: dict[str, str], decision: RouteDecision
    ) -> RouteDecision:
        """Return whom an alert is told to: nobody, and it is marked, when it is silenced."""
        quiet = silenced_by(self._active, labels) if self._active else None
        if quiet is None:
            return decision
        record.suppressed = _why(quiet)
        why = f"nobody is told, {record.suppressed}; {decision.why}"
        return replace(decision, channels=(), pages=frozenset(), why=why)

    def is_silent(self, number: int) -> bool:
        """Say whether every alert of the incident that fires is silenced."""
        if not self._active:
            return False
        firing = [r for r in self._memory.of(number) if r.state == "firing"]
        return bool(firing) and all(_ours(record) for record in firing)

    def tick(self, step: Step) -> None:
        """See what has begun or ended since the last look."""
        now = step.unit.now
        active = [quiet for quiet in self._known if quiet.is_open(now)]
        if not self._dirty and active == self._active:
            return
        self._active, self._dirty = active, False
        if active or any(_ours(record) for record in self._memory.alerts.values()):
            self._judge_again(step)

    def silence(self, unit: Unit, row: rows.SilenceRow, actor: Actor) -> int:
        """Keep a silence; raises SilenceError, MatcherSyntaxError."""
        return self._add(unit, "silence", row, actor)

    def window(self, unit: Unit, row: rows.SilenceRow, actor: Actor) -> int:
        """Keep a window, one for each key.

        Raises SilenceError, MatcherSyntaxError, ScheduleError.
        """
        if row.key and (known := rows.keyed_window(unit.connection, row.key)) is not None:
            return known
        number = self._add(unit, "window", row, actor)
        if row.key:
            rows.key_window(unit.connection, row.key, number)
        return number

    def end(self, unit: Unit, what: What, number: int, actor: Actor) -> None:
        """End a silence or a window now; raises SilenceUnknownError."""
        name = f"{what} {number}"
        known = [quiet for quiet in self._known if quiet.name == name]
        if not known or not rows.end_silence(
            unit.connection, what, number, at=unit.now, by=actor.name
        ):
            raise SilenceUnknownError(f"there is no {name} that could be ended")
        self._known = [quiet for quiet in self._known if quiet.name != name]
        record_audit(unit.connection, actor, at=unit.now, action=f"end {what}", subject=name)
        self._look_now(unit)

    def _add(self, unit: Unit, what: What, row: rows.SilenceRow, actor: Actor) -> int:
        quiet = quiet_of(what, row)
        if not quiet.matchers:
            raise SilenceError("without matchers everything would be silenced")
        if not row.reason.strip():
            raise SilenceError("a silence needs a reason")
        if quiet.schedule is None:
            span = timedelta(seconds=quiet.ends_at - max(quiet.starts_at, unit.now))
            if not timedelta() < span <= LONGEST:
                raise SilenceError(f"it would last {span}")
        add = rows.add_silence if what == "silence" else rows.add_window
        number = add(unit.connection, row)
        self._known.append(replace(quiet, name=f"{what} {number}"))
        subject = f"{what} {number}: {row.matchers}"
        record_audit(unit.connection, actor, at=unit.now, action=what, subject=subject)
        self._look_now(unit)
        return number

    def _look_now(self, unit: Unit) -> None:
        self._dirty = True
        step = Step(unit)
        self.tick(step)
        step.write()

    def _judge_again(self, step: Step) -> None:
        """Hold every alert that fires against what is silenced now."""
        told: dict[int, list[tuple[AlertRecord, dict[str, str]]]] = defaultdict(list)
        hushed: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        changed: dict[str, str] = {}
        for fingerprint, labels in rows.firing_labels(step.unit.connection).items():
            record = self._memory.alerts.get(fingerprint)
            if record is None or (record.suppressed and not _ours(record)):
                continue
            quiet = silenced_by(self._active, labels)
            why = _why(quiet) if quiet else ""
            if why == record.suppressed:
                continue
            was, record.suppressed = record.suppressed, why
            changed[fingerprint] = why
            if record.incident in self._memory.open:
                if why:
                    hushed[record.incident][why] += 1
                elif was:
                    told[record.incident].append((record, labels))
        rows.suppress(step.unit.connection, changed)
        for number, reasons in hushed.items():
            for why, count in reasons.items():
                text = f"{_alerts(count)} silenced by {why}"
                step.note(TimelineRow(number, step.unit.now, "silenced", text))
            step.changed(self._memory.open[number], "updated")
        for number, alerts in told.items():
            self._tell(step, self._memory.open[number], alerts)

    def _tell(
        self,
        step: Step,
        incident: IncidentRecord,
        alerts: list[tuple[AlertRecord, dict[str, str]]],
    ) -> None:
        """Tell of alerts that still fire: for people they begin now."""
        now = step.unit.now
        text = f"no longer silenced, {_alerts(len(alerts))} still firing: told now"
        step.note(TimelineRow(incident.number, now, "silenced", text))
        step.changed(incident, "updated")
        firing = [r for r in self._memory.of(incident.number) if r.state == "firing"]
        again = len(firing) == len(alerts) and incident.acked_at is None
        before = incident.channels
        for record, labels in alerts:
            asked = decide(self._routing, labels)
            decision = enough(self._memory, incident.number, record, asked, now)
            if record.severity == "critical":
                self._policies.setdefault(incident.number, decision.policy)
            worse = SEVERITIES.index(record.severity) < SEVERITIES.index(incident.severity)
            rises = worse and bool(decision.channels)
            if decision.channels and incident.shape == "candidate":
                incident.shape = "alerts"
            if rises:
                incident.severity, incident.team = record.severity, decision.team
                incident.state, incident.acked_at, incident.acked_by = "open", None, ""
            known = incident.channels
            incident.channels = tuple(dict.fromkeys((*known, *decision.channels)))
            for channel in decision.channels:
                cause = Cause(channel in decision.pages, now)
                if channel not in known:
                    self._telling.tell(step, incident, channel, "open", cause)
                elif rises:
                    self._telling.tell(step, incident, channel, "rise", cause)
                elif again and cause.page and channel in before:
                    self._telling.tell(step, incident, channel, "escalate", cause)
                    again = False


def quiet_of(what: What, row: rows.SilenceRow) -> Quiet:
    """Return a silence or window as it decides; raises SilenceError, MatcherSyntaxError."""
    schedule = None
    if row.schedule:
        try:
            schedule = msgspec.json.decode(row.schedule, type=Schedule)
        except msgspec.DecodeError as error:
            raise SilenceError(f"the schedule cannot be read: {error}") from error
    return Quiet(
        name=f"{what} {row.id}",
        reason=row.reason,
        matchers=parse_matchers(row.matchers),
        starts_at=row.starts_at or 0.0,
        ends_at=row.ends_at or 0.0,
        schedule=schedule,
    )


def _why(quiet: Quiet) -> str:
    return f"{quiet.name}: {quiet.reason}"


def _ours(record: AlertRecord) -> bool:
    """Say whether a silence or a window, and nothing else, keeps this from people."""
    return record.suppressed.startswith(("silence ", "window "))


def _alerts(count: int) -> str:
    return "1 alert" if count == 1 else f"{count} alerts"
