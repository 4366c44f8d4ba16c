"""Putting into the outbox what people have to hear, and what can be left unsaid."""

from abops.alerts.model import ChannelType, DeliveryKind, ServiceConfig
from abops.alerts.route.tree import PAGING_TYPES
from abops.alerts.service.step import Cause, Step
from abops.alerts.store import outbox
from abops.alerts.store.database import Connection
from abops.alerts.store.records import IncidentRecord, OutboxEntry

_SILENT_UPDATES: frozenset[ChannelType] = frozenset({"pagerduty", "email"})
_IN_DIGESTS: frozenset[DeliveryKind] = frozenset({"update", "rise"})
_FIRST: frozenset[DeliveryKind] = frozenset({"open", "rise"})
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

    def load(self, connection: Connection) -> None:
        """Read what waits."""
        self._waiting = outbox.unsent(connection)

    def claimed(self, number: int, channel: str) -> None:
        """A message is being composed: what changes from now on needs another one."""
        self._waiting.discard((number, channel))

    def waits(self, number: int, channel: str) -> bool:
        """Say whether a message waits that will say how things are by then."""
        return (number, channel) in self._waiting

    def withdraw(self, step: Step, number: int, kind: DeliveryKind) -> set[str]:
        """Take back what nobody has heard yet; return the channels that will not be told."""
        spared = outbox.withdraw(step.unit.connection, number, kind)
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
        delay = self._settings.update_every_s if kind == "update" else 0.0
        if kind in _FIRST and cause is not None and cause.page:
            delay = self._watch_s(incident, now)
        elif cause is not None:
            delay = max(delay, cause.hold_s)
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

    def _watch_s(self, incident: IncidentRecord, now: float) -> float:
        """Return how long a page waits: not at all, unless another incident has just paged."""
        at, number = self._paged.get(incident.env, (0.0, incident.number))
        self._paged[incident.env] = (now, incident.number)
        close = number != incident.number and now - at < _CLOSE_S
        return self._settings.page_watch_s if close else 0.0
