"""Putting into the outbox what people have to hear, and when, and what can be left unsaid.

What is critical, about security, a storm or a test is told at once. Anything else waits while its
team sleeps, and may be a line of the hourly digest, as its route says.
"""

from collections.abc import Collection
from zoneinfo import ZoneInfo

from abops.alerts.model import ChannelType, DeliveryKind, RouteDecision, ServiceConfig
from abops.alerts.route.quiet import hours, next_full_hour, quiet_until
from abops.alerts.route.tree import PAGING_TYPES
from abops.alerts.service.step import Cause, Step
from abops.alerts.store import hourly, outbox
from abops.alerts.store.database import Connection
from abops.alerts.store.records import IncidentRecord, OutboxEntry, TimelineRow
from abops.kernel.clock import moment

_SILENT_UPDATES: frozenset[ChannelType] = frozenset({"pagerduty", "email"})
_IN_DIGESTS: frozenset[DeliveryKind] = frozenset({"update", "rise"})
_FIRST: frozenset[DeliveryKind] = frozenset({"open", "rise"})
_QUIETLY: frozenset[DeliveryKind] = frozenset({"open", "resolve"})
"""What rings without being urgent: it waits while the team sleeps."""
_CHATS: frozenset[ChannelType] = frozenset({"slack", "telegram"})
_CLOSE_S = 10.0
"""Seconds between two pages of one environment that may be one storm."""


class Telling:
    """Knows what waits for each channel, so that nothing is said twice."""

    def __init__(self, config: ServiceConfig) -> None:
        self._routing = config.routing
        self._settings = config.settings
        self._waiting: set[tuple[int, str]] = set()
        self._paged: dict[str, tuple[float, int]] = {}
        """By environment: when a page was last due, and for which incident."""
        self.muted: set[int] = set()
        """Incidents whose changes are told in digests: their storms are not over."""
        self.urgent: set[int] = set()
        """Incidents that wait for no morning and no digest: security, tests of the way."""
        self.digested: set[int] = set()
        """Incidents whose first message may be a line of the hourly digest: their route says so."""
        self.judged: set[int] = set()
        """Incidents whose score may make a line of the hourly digest of them."""
        self.held: set[int] = set()
        """Incidents whose first message waits; it may be over by then."""

    def load(self, connection: Connection, now: float) -> None:
        """Read what waits."""
        self._waiting = outbox.unsent(connection)
        self.digested = hourly.waiting(connection)
        self.held = set(self.digested) | outbox.held(connection, now)

    def claimed(self, number: int, channel: str) -> None:
        """A message is being composed: what changes from now on needs another one."""
        self._waiting.discard((number, channel))

    def waits(self, number: int, channel: str) -> bool:
        """Say whether a message waits that will say how things are by then."""
        return (number, channel) in self._waiting

    def withdraw(self, step: Step, number: int, kind: DeliveryKind) -> set[str]:
        """Take back what nobody has heard yet; return the channels that will not be told."""
        spared = outbox.withdraw(step.unit.connection, number, kind)
        if kind == "open":
            spared |= outbox.withdraw(step.unit.connection, number, "hourly")
        self._waiting = outbox.unsent(step.unit.connection)
        return spared

    def pages(self, channel: str) -> bool:
        """Say whether this channel wakes somebody up."""
        return self._routing.channels[channel].type in PAGING_TYPES

    def update(self, step: Step, incident: IncidentRecord, channel: str) -> None:
        """Have the message edited, unless one that waits will say it anyway."""
        if (incident.number, channel) in self._waiting:
            return
        if self._routing.channels[channel].type in _SILENT_UPDATES:
            return
        self.tell(step, incident, channel, "update")

    def tell(
        self,
        step: Step,
        incident: IncidentRecord,
        channel: str,
        kind: DeliveryKind,
        cause: Cause | None = None,
    ) -> None:
        """Have a channel told."""
        if kind in _IN_DIGESTS and incident.number in self.muted:
            return
        now = step.unit.now
        pages = cause is not None and cause.page
        delay = self._settings.update_every_s if kind == "update" else 0.0
        if kind in _FIRST and pages:
            delay = self._watch_s(incident, now)
        elif cause is not None:
            delay = max(delay, cause.hold_s)
        if kind == "open" and not pages and self._is_digested(incident, channel):
            kind, delay = "hourly", next_full_hour(moment(now)).timestamp() - now
            self.held.add(incident.number)
        if kind in _QUIETLY | {"hourly"} and not pages:
            delay = max(delay, self._quiet_s(step, incident, kind))
        incident.revision += 1
        self._waiting.add((incident.number, channel))
        step.tell(
            OutboxEntry(
                incident=incident.number,
                channel=channel,
                kind=kind,
                severity=incident.severity,
                page=pages,
                since=cause.since if cause else now,
                revision=incident.revision,
                created_at=now,
                next_at=now + delay,
            )
        )

    def release_at(self, incident: IncidentRecord, now: float) -> float:
        """Return when a first message is due for which there is no other reason to wait."""
        until = self._sleeps_until(incident, now)
        return now if until is None else until

    def joined(self, step: Step, incident: IncidentRecord, decision: RouteDecision) -> None:
        """Note how urgent the newest alert makes an incident; a first message may go at once."""
        number, now = incident.number, step.unit.now
        if decision.urgent and decision.channels:
            self.urgent.add(number)
        if decision.digest != "always":
            self.digested.discard(number)
        if decision.digest == "unlikely":
            self.judged.add(number)
        elif incident.severity != "info":
            self.judged.discard(number)
        if number not in self.held:
            return
        if incident.severity == "critical" or number in self.urgent:
            self.tell_now(step, number)
        elif number not in self.digested:
            step.write()
            at = self.release_at(incident, now)
            step.unit.channels |= hourly.tell_alone(step.unit.connection, number, at)

    def tell_now(self, step: Step, number: int) -> None:
        """Have a first message told that waits for the morning or the digest."""
        self.held.discard(number)
        step.write()
        connection, now = step.unit.connection, step.unit.now
        step.unit.channels |= outbox.release(connection, number, now)
        step.unit.channels |= hourly.tell_alone(connection, number, now)

    def forget(self, open_numbers: Collection[int]) -> None:
        """Let go of incidents that are over."""
        for numbers in (self.urgent, self.digested, self.judged, self.held):
            numbers.intersection_update(open_numbers)

    def digest_later(self, step: Step, incident: IncidentRecord) -> bool:
        """Make a line of the hourly digest of a first message that waits; False: it was told."""
        at = next_full_hour(moment(step.unit.now)).timestamp()
        at = max(at, self.release_at(incident, step.unit.now))
        chats = [n for n in incident.channels if self._routing.channels[n].type in _CHATS]
        step.write()  # the message may have been gathered in this very step
        moved = hourly.put_off(step.unit.connection, incident.number, chats, at)
        if moved:
            self.held.add(incident.number)
        return bool(moved)

    def _is_digested(self, incident: IncidentRecord, channel: str) -> bool:
        return (
            incident.number in self.digested
            and incident.severity != "critical"
            and incident.number not in self.urgent
            and self._routing.channels[channel].type in _CHATS
        )

    def _quiet_s(self, step: Step, incident: IncidentRecord, kind: DeliveryKind) -> float:
        """Return how long something waits because the team sleeps, and say so once."""
        now = step.unit.now
        until = self._sleeps_until(incident, now)
        if until is None:
            return 0.0
        team = self._routing.teams[incident.team]
        if kind != "resolve" and incident.number not in self.held and team.quiet is not None:
            zone = ZoneInfo(team.tz)
            end = moment(until).astimezone(zone)
            why = f"the quiet hours of {team.name}, {hours(team.quiet)} {team.tz}"
            text = f"not critical: told at {end:%H:%M}, after {why}"
            step.note(TimelineRow(incident.number, now, "note", text))
        if kind != "resolve":
            self.held.add(incident.number)
        return until - now

    def _sleeps_until(self, incident: IncidentRecord, now: float) -> float | None:
        if incident.severity == "critical" or incident.number in self.urgent | self.muted:
            return None
        until = quiet_until(self._routing.teams.get(incident.team), moment(now))
        return None if until is None else until.timestamp()

    def _watch_s(self, incident: IncidentRecord, now: float) -> float:
        """Return how long a page waits: not at all, unless another incident has just paged."""
        at, number = self._paged.get(incident.env, (0.0, incident.number))
        self._paged[incident.env] = (now, incident.number)
        close = number != incident.number and now - at < _CLOSE_S
        return self._settings.page_watch_s if close else 0.0
