"""One transaction of the writer's, and the state in memory that goes with it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy import Connection

from abops.alerts.model import AlertEvent, ServiceEvent


@dataclass(slots=True)
class Unit:
    """One transaction, and who has to hear of it once it is committed."""

    connection: Connection
    now: float
    events: list[ServiceEvent] = field(default_factory=list)
    channels: set[str] = field(default_factory=set)
    """Channels that have something new in the outbox."""


class State(Protocol):
    """What is kept in memory beside the disk, by the layer above."""

    def load(self, connection: Connection, now: float) -> None:
        """Forget everything and read it from the disk."""
        ...

    def apply(self, unit: Unit, events: Sequence[AlertEvent]) -> None:
        """Bring the incidents up to these events."""
        ...
