"""Incidents with a store of their own: what the writer's thread does, without threads or time."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine

from abops.alerts.ingest.identity import event_key, fingerprint
from abops.alerts.model import AlertEvent, AlertStatus, Channel, Route, Routing, ServiceConfig, Team
from abops.alerts.route.matcher import parse_matchers
from abops.alerts.service.deliver import KINDS
from abops.alerts.service.incidents import Incidents
from abops.alerts.store import events as event_rows
from abops.alerts.store import outbox
from abops.alerts.store.database import migrate, open_writer
from abops.alerts.store.writer import Unit

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def a_routing() -> Routing:
    routes = [('severity="critical"', ("page", "chat")), ('severity=~"warning|info"', ("chat",))]
    return Routing(
        public_url="http://127.0.0.1:9600",
        channels={
            "pd": Channel("pd", "pagerduty"),
            "chat": Channel("chat", "slack"),
            "tg": Channel("tg", "telegram"),
        },
        teams={"dev": Team("dev", page="pd", chat="chat", fallback=("tg",))},
        routes=tuple(Route(match, parse_matchers(match), send) for match, send in routes),
    )


def an_event(
    name: str = "ProbeFailed",
    *,
    status: AlertStatus = "firing",
    severity: str = "warning",
    service: str = "api",
    start_s: float = 0,
    end_s: float = 60,
    source: str = "alertmanager",
) -> AlertEvent:
    labels = {"alertname": name, "severity": severity, "service": service, "env": "local"}
    starts_at = NOON + timedelta(seconds=start_s)
    ends_at = NOON + timedelta(seconds=end_s) if status == "resolved" else None
    identity = fingerprint(labels, ())
    key = event_key(identity, status, starts_at, ends_at)
    return AlertEvent(key, identity, status, labels, {}, starts_at, ends_at, source=source)


class Book:
    """Incidents with their store; `take` does what the writer does with a batch."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.config = ServiceConfig(env="local", routing=a_routing(), data_dir=folder)
        self.restart()

    def restart(self, at_s: float = 0) -> None:
        self.state = Incidents(self.config)
        with self.engine.begin() as connection:
            self.state.load(connection, NOON.timestamp() + at_s)

    @contextmanager
    def unit(self, at_s: float) -> Iterator[Unit]:
        with self.engine.begin() as connection:
            yield Unit(connection, NOON.timestamp() + at_s)

    def take(self, *events: AlertEvent, at_s: float = 0) -> None:
        with self.unit(at_s) as unit:
            known = event_rows.known_keys(unit.connection, [event.key for event in events])
            fresh = list({e.key: e for e in events if e.key not in known}.values())
            first = event_rows.last_event_id(unit.connection) + 1
            event_rows.insert_events(unit.connection, fresh, first_id=first, received_at=unit.now)
            self.state.apply(unit, fresh)

    def send_all(self, at_s: float) -> list[tuple[str, str, int]]:
        """Have the channels take what is due; return channel, kind and incident."""
        sent = []
        with self.unit(at_s) as unit:
            for channel in self.config.routing.channels:
                while claim := outbox.claim(unit.connection, channel, now=unit.now, kinds=KINDS):
                    self.state.claimed(claim.item.incident, channel)
                    outcome = outbox.Outcome("done", unit.now, reference="r")
                    outbox.settle(unit.connection, claim.item.id, outcome)
                    sent.append((channel, claim.item.kind, claim.item.incident))
        return sent


@contextmanager
def a_store(folder: Path) -> Iterator[Engine]:
    """Return the engine of a new store."""
    engine = open_writer(folder / "alerts.db")
    migrate(engine)
    yield engine
    engine.dispose()
