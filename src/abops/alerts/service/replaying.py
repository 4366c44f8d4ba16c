"""Holding present rules against what was said in the past: nothing is stored, nobody is told.

The stored alerts go once more through grouping, routes, thresholds, quiet hours and escalation,
into a store of their own, with time as it was then. Every message counts as accepted at once and
nobody acknowledges, so escalations run on to their end: it shows what would be told at most.
"""

import tempfile
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, get_args

from msgspec import Struct
from msgspec.structs import replace

from abops.alerts.model import AlertEvent, DeliveryKind, IncidentSummary, ServiceConfig
from abops.alerts.service.incidents import Incidents
from abops.alerts.store import outbox, reading
from abops.alerts.store.database import Connection, migrate, open_writer
from abops.alerts.store.unit import Unit

TICK_S: Final = 15.0
"""Seconds between two looks at the clock while time passes without alerts."""
_FILE: Final = "replay.db"
Begin = Callable[[], AbstractContextManager[Connection]]
KINDS: Final[tuple[DeliveryKind, ...]] = get_args(DeliveryKind)


class Replayed(Struct, frozen=True):
    """What the present rules make of a time."""

    alerts: int
    incidents: tuple[IncidentSummary, ...]
    told: tuple[tuple[int, str, str, bool], ...]
    """Incident, channel, kind, and whether it wakes somebody up."""


def replay(
    said: Iterable[tuple[float, AlertEvent]], config: ServiceConfig, until: float
) -> Replayed:
    """Return what becomes of these alerts by the rules of `config`."""
    with tempfile.TemporaryDirectory(prefix="abops-replay-") as folder:
        engine = open_writer(Path(folder) / _FILE)
        migrate(engine)
        try:
            again = _Replay(engine.begin, replace(config, data_dir=Path(folder)))
            return again.run(said, until)
        finally:
            engine.dispose()


class _Replay:
    def __init__(self, begin: Begin, config: ServiceConfig) -> None:
        self._begin = begin
        self._incidents = Incidents(config)
        self._channels = tuple(config.routing.channels)
        self._told: list[tuple[int, str, str, bool]] = []
        self._alerts = 0

    def run(self, said: Iterable[tuple[float, AlertEvent]], until: float) -> Replayed:
        """Let it all happen once more."""
        now: float | None = None
        for at, event in said:
            if now is None:
                with self._begin() as connection:
                    self._incidents.load(connection, at)
            else:
                self._pass(now, at)
            now = at
            self._alerts += 1
            with self._begin() as connection:
                self._incidents.apply(Unit(connection, at), (event,))
            self._tell(at)
        if now is not None:
            self._pass(now, until)
        with self._begin() as connection:
            found = reading.incidents(connection, state=None, limit=100_000)
        return Replayed(self._alerts, found, tuple(self._told))

    def _pass(self, since: float, until: float) -> None:
        """Let time pass; nothing happens in it once nothing is open and nothing waits."""
        now = since
        while now < until:
            now = min(now + TICK_S, until)
            with self._begin() as connection:
                unit = Unit(connection, now)
                self._incidents.storms.tick(unit)
                self._incidents.passing.tick(unit)
                self._incidents.flapping.tick(unit)
                self._incidents.resolve_quiet(unit)
                self._incidents.duty.tick(unit, self._incidents.unack)
                idle = not reading.open_by_severity(connection)
            self._tell(now)
            if idle and not self._waits():
                return

    def _tell(self, now: float) -> None:
        """Have every channel take what is due."""
        with self._begin() as connection:
            for channel in self._channels:
                while claim := outbox.claim(connection, channel, now=now, kinds=KINDS):
                    item = claim.item
                    self._incidents.claimed(item.incident, channel)
                    done = outbox.Outcome("done", now, reference="replay")
                    outbox.settle(connection, item.id, done)
                    if item.kind != "update":
                        self._told.append((item.incident, channel, item.kind, item.page))

    def _waits(self) -> bool:
        with self._begin() as connection:
            return bool(outbox.unsent(connection))
