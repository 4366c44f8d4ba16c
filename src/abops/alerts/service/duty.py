"""Paging level after level until somebody takes care, and not at all what is silenced.

Lives in the writer's thread. What has to happen is worked out from how an incident stands, not
from who changed it: a look at the incidents in the transaction that changes them, and one every
second, come to the same, whatever merged, split, acknowledged or resolved them. The timers are
rows, so a restart loses none.
"""

from collections.abc import Callable, Iterable

import msgspec

from abops.alerts.escalate.ladder import Action, Ladder, Standing, escalate, merged
from abops.alerts.model import DEFAULT_POLICY, Actor, Policy, ServiceConfig
from abops.alerts.route.oncall import on_call
from abops.alerts.route.tree import decide
from abops.alerts.service.hush import Hush
from abops.alerts.service.memory import Memory
from abops.alerts.service.step import Cause, Step
from abops.alerts.service.telling import Telling
from abops.alerts.store import duty as rows
from abops.alerts.store.database import Connection
from abops.alerts.store.records import IncidentRecord, TimelineRow
from abops.alerts.store.writer import Unit
from abops.kernel.clock import moment

TIMER = "escalation"
BY_ITSELF = Actor("abops", "timer")
_ladder = msgspec.json.Decoder(Ladder)
_encode = msgspec.json.Encoder().encode


class Duty:
    """Knows how far each critical incident has escalated, and what is silenced."""

    def __init__(self, config: ServiceConfig, memory: Memory, telling: Telling) -> None:
        self._routing = config.routing
        self._escalates = bool(self._routing.escalation or self._routing.policies)
        self._memory = memory
        self._telling = telling
        self._ladders: dict[int, tuple[Ladder, float]] = {}
        """By incident: how far it has come, and when it is looked at again."""
        self._unproven: dict[int, float] = {}
        """By incident: when its last pages were queued, until they count as accepted."""
        self.policies: dict[int, str] = {}
        """By incident that has become critical: by which policy it will escalate."""
        self.hush = Hush(config, memory, telling, self.policies)
        self._lateness_s: list[float] = []

    def load(self, connection: Connection, now: float) -> None:
        """Forget everything and read it from the disk."""
        self._ladders = {
            row.incident: (_ladder.decode(row.data), row.due)
            for row in rows.timers(connection, TIMER)
        }
        self._unproven = {
            number: at for number, at in rows.last_pages(connection) if number in self._ladders
        }
        self.hush.load(connection, now)

    def take_lateness(self) -> list[float]:
        """Return how late the timers went off since this was asked last."""
        taken, self._lateness_s = self._lateness_s, []
        return taken

    def review(self, step: Step) -> None:
        """Look at the incidents that this step changes; called before it is written."""
        if self._escalates:
            self._follow_all(step, step.touched())

    def tick(self, unit: Unit, unack: Callable[[Unit, int, Actor], None]) -> None:
        """Look at every incident; called every second."""
        step = Step(unit)
        self.hush.tick(step)
        for gone in self.policies.keys() - self._memory.open.keys():
            del self.policies[gone]
        self._telling.forget(self._memory.open.keys())
        if self._escalates:
            self._take_over_merged(unit)
            expired = self._follow_all(step, list(self._memory.open.values()))
            step.write()
            for number in expired:
                unack(unit, number, BY_ITSELF)
        else:
            step.write()

    def _follow_all(self, step: Step, incidents: Iterable[IncidentRecord]) -> list[int]:
        return [incident.number for incident in incidents if self._follow(step, incident)]

    def _follow(self, step: Step, incident: IncidentRecord) -> bool:
        """Do what is due for one incident; True: its acknowledgement has expired."""
        number, now = incident.number, step.unit.now
        known = self._ladders.get(number)
        ladder, policy = self._ladder(step, incident)
        if policy is None:
            if known is not None:
                self._end(step.unit, number)
            return False
        standing = Standing(incident.acked_at, self._unaccepted(step, number, policy))
        decision = escalate(ladder, policy, standing, now)
        if known is None:
            incident.paged_at = ladder.t0
        for action in decision.actions:
            if known is not None:
                self._lateness_s.append(now - action.due)
            if action.kind == "page":
                self._page(step, incident, action, first=ladder.step == 0)
            elif action.kind == "remind":
                self._remind(step, incident, action)
        if known != (decision.ladder, decision.next_due):
            data = _encode(decision.ladder).decode()
            if known is not None and decision.actions:
                rows.end_timer(step.unit.connection, number, TIMER, now)
            rows.set_timer(step.unit.connection, number, TIMER, decision.next_due, data)
            self._ladders[number] = (decision.ladder, decision.next_due)
        return any(action.kind == "expire" for action in decision.actions)

    def _ladder(self, step: Step, incident: IncidentRecord) -> tuple[Ladder, Policy | None]:
        """Return how far an incident has come, and by which policy. None: it does not escalate."""
        known = self._ladders.get(incident.number)
        if not self._pageable(incident):
            return Ladder(step.unit.now), None
        if known is None:
            name = self.policies.get(incident.number) or self._read_policy(step, incident.number)
            ladder = Ladder(step.unit.now, policy=name)
        else:
            ladder = known[0]
        return ladder, self._routing.policy(ladder.policy)

    def _read_policy(self, step: Step, number: int) -> str:
        """Return the policy of an incident that became critical before a restart, or by a split."""
        if not self._routing.policies:
            return DEFAULT_POLICY
        labels = rows.firing_labels(step.unit.connection)
        critical = (r for r in self._memory.of(number) if r.severity == "critical")
        found = (labels[r.fingerprint] for r in critical if r.fingerprint in labels)
        return next((decide(self._routing, each).policy for each in found), DEFAULT_POLICY)

    def _pageable(self, incident: IncidentRecord) -> bool:
        return (
            incident.state != "resolved"
            and incident.severity == "critical"
            and bool(incident.channels)
            and not self.hush.is_silent(incident.number)
        )

    def _page(self, step: Step, incident: IncidentRecord, action: Action, *, first: bool) -> None:
        """Page a level's team; the first level was told by the incident's opening."""
        team = self._routing.teams[action.team]
        now = step.unit.now
        rota = team.oncall
        person = on_call(rota, moment(now)) if rota else ""
        for channel in dict.fromkeys((team.page, team.chat)):
            cause = Cause(channel == team.page, action.due)
            if channel not in incident.channels:
                incident.channels = (*incident.channels, channel)
                self._telling.tell(step, incident, channel, "open", cause)
            elif not first or action.level > 1:
                self._telling.tell(step, incident, channel, "escalate", cause)
        incident.level = max(incident.level, action.level)
        who = f"; {person} is on call" if person else ""
        known = self._ladders.get(incident.number)
        name = known[0].policy if known else self.policies.get(incident.number, DEFAULT_POLICY)
        named = "" if name == DEFAULT_POLICY else f" of {name}"
        text = f"level {action.level}{named} ({team.name}) paged, {action.why}{who}"
        step.note(TimelineRow(incident.number, now, "paged", text))
        step.changed(incident, "updated")
        page = rows.PageRow(
            incident.number, now, action.level, team.name, person, team.page, action.why
        )
        rows.add_page(step.unit.connection, page)
        self._unproven[incident.number] = now

    def _remind(self, step: Step, incident: IncidentRecord, action: Action) -> None:
        team = self._routing.teams.get(incident.team)
        channel = team.chat if team else incident.channels[0]
        if channel not in incident.channels:
            incident.channels = (*incident.channels, channel)
        self._telling.tell(step, incident, channel, "remind", Cause(page=False, since=action.due))
        text = f"{channel} reminded, {action.why}"
        step.note(TimelineRow(incident.number, step.unit.now, "paged", text))
        step.changed(incident, "updated")

    def _unaccepted(self, step: Step, number: int, policy: Policy) -> float | None:
        """Return since when the last pages wait, once that is long enough to matter."""
        queued = self._unproven.get(number)
        if queued is None or step.unit.now < queued + policy.unaccepted_after_s:
            return None
        del self._unproven[number]
        return rows.unaccepted_since(step.unit.connection, number, queued)

    def _take_over_merged(self, unit: Unit) -> None:
        """Give the ladders of incidents that are gone to those they are part of now."""
        for number in [n for n in self._ladders if n not in self._memory.open]:
            ladder, due = self._ladders[number]
            self._end(unit, number)
            into = rows.merged_into(unit.connection, number)
            if into is None or into not in self._memory.open:
                continue
            own = self._ladders.get(into)
            kept = (ladder, due) if own is None or merged(ladder, own[0]) == ladder else own
            self._ladders[into] = kept
            rows.set_timer(unit.connection, into, TIMER, kept[1], _encode(kept[0]).decode())

    def _end(self, unit: Unit, number: int) -> None:
        rows.end_timer(unit.connection, number, TIMER, unit.now)
        self._ladders.pop(number, None)
        self._unproven.pop(number, None)
