"""Where an alert goes: the correlator and people's rules, fed by what the writer's thread sees.

What was learned is kept in the store once a minute; which alerts are open is read from there.
"""

from collections.abc import Iterable
from typing import Final

from abops.alerts.correlate.join import Correlator, Match, Setting, Sighting
from abops.alerts.correlate.kinds import kind_of
from abops.alerts.correlate.placing import outlasts, place_of, stands_alone
from abops.alerts.correlate.rules import Rules
from abops.alerts.correlate.topology import Topology
from abops.alerts.model import AlertEvent, ServiceConfig
from abops.alerts.route.sorting import Sorting, rules_of
from abops.alerts.store import incidents as rows
from abops.alerts.store import learned
from abops.alerts.store.database import Connection
from abops.alerts.store.records import AlertRecord
from abops.alerts.store.writer import Unit

KEEP_EVERY_S: Final = 60.0
_MEMORY: Final = "correlator"


class Joining:
    """Decides which incidents an alert belongs to, and remembers where it went."""

    def __init__(self, config: ServiceConfig) -> None:
        self._calls = config.calls
        self._setting = Setting(gap_s=config.settings.gap_s)
        self._correlator = self._fresh()
        self._sorting = Sorting(config.routing.grouping)
        self._rules = Rules(rules_of(config.routing.grouping))
        self._kept_at = 0.0
        self._changed = False

    def load(self, connection: Connection, now: float) -> None:
        """Read what was learned, and the recent alerts of what is open."""
        kept = learned.recall(connection, _MEMORY)
        topology = Topology(self._calls)
        self._correlator = (
            self._fresh() if kept is None else Correlator.restore(kept, topology, self._setting)
        )
        for row in rows.recent_sightings(connection, now - self._setting.gap_s):
            if outlasts(row.kind, row.severity) and not row.first:
                continue
            place = place_of(row.service, row.env, row.labels)
            self._correlator.note(Sighting(row.kind, place, row.at), row.incident)
        self.reread(connection)
        self._kept_at = now

    def reread(self, connection: Connection) -> None:
        """Read of which sorts the alerts of the open incidents are, if rules ask."""
        self._rules.clear()
        if self._rules:
            for row in rows.all_sightings(connection):
                if not stands_alone(row.labels):
                    sides = self._sorting.sides(row.labels)
                    self._rules.record(row.env, sides, row.at, row.incident)

    def match(self, record: AlertRecord, event: AlertEvent, now: float) -> Match:
        """Return the open incidents the alert belongs to."""
        if stands_alone(event.labels):
            return Match()
        match = self._correlator.match(_sighting(record, event, now))
        return self._rules.judge(record.env, self._sorting.sides(event.labels), now, match)

    def record(
        self, record: AlertRecord, event: AlertEvent, now: float, *, first: bool = True
    ) -> None:
        """Note that the alert is in its incident now, which may have begun with it.

        What outlasts its fault says nothing of the next one, unless an incident begins with it.
        """
        if record.incident is not None and not stands_alone(event.labels):
            sighting = _sighting(record, event, now)
            self._correlator.learn(sighting)
            if first or not outlasts(record.kind, record.severity):
                self._correlator.note(sighting, record.incident)
            sides = self._sorting.sides(event.labels)
            self._rules.record(record.env, sides, now, record.incident)
            self._changed = True

    def merge(self, source: int, into: int) -> None:
        """Note that one incident is part of another."""
        self._correlator.merge(source, into)
        self._rules.merge(source, into)

    def teach(self, a: set[str], b: set[str], *, together: bool) -> None:
        """Learn from people that these kinds belong together, or do not."""
        self._correlator.teach(a, b, together=together)
        self._changed = True

    def saw(self, calls: Iterable[tuple[str, str]], now: float) -> None:
        """Note calls that were seen; each counts for a day."""
        for caller, callee in calls:
            self._correlator.topology.saw(caller, callee, now)
        self._correlator.topology.forget(now)

    def close(self, number: int) -> None:
        """Nothing joins this incident any more."""
        self._correlator.close(number)
        self._rules.close(number)

    def keep(self, unit: Unit) -> None:
        """Write what was learned, once a minute."""
        if self._changed and unit.now - self._kept_at >= KEEP_EVERY_S:
            learned.keep(unit.connection, _MEMORY, self._correlator.state(), at=unit.now)
            self._kept_at, self._changed = unit.now, False

    def _fresh(self) -> Correlator:
        return Correlator(Topology(self._calls), self._setting)


def kind_in(event: AlertEvent) -> str:
    """Return the kind of an alert."""
    return kind_of(event.labels, event.annotations)


def _sighting(record: AlertRecord, event: AlertEvent, now: float) -> Sighting:
    return Sighting(record.kind, place_of(record.service, record.env, event.labels), now)
