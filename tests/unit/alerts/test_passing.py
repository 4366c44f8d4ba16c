"""What mostly passes by itself is held; what is held is told as soon as there is reason to."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from abops.alerts.ingest.identity import event_key, fingerprint
from abops.alerts.model import AlertEvent, AlertStatus, Channel, Route, Routing, ServiceConfig, Team
from abops.alerts.route.matcher import parse_matchers
from abops.alerts.service.deliver import KINDS
from abops.alerts.service.incidents import Incidents
from abops.alerts.store import events as event_rows
from abops.alerts.store import outbox, reading
from abops.alerts.store.database import migrate, open_writer
from abops.alerts.store.writer import Unit

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def an_event(
    at_s: float,
    *,
    name: str = "Restarted",
    service: str = "api",
    severity: str = "warning",
    began_s: float | None = None,
) -> AlertEvent:
    labels = {"alertname": name, "severity": severity, "service": service, "env": "local"}
    status: AlertStatus = "firing" if began_s is None else "resolved"
    starts_at = NOON + timedelta(seconds=at_s if began_s is None else began_s)
    ends_at = None if began_s is None else NOON + timedelta(seconds=at_s)
    identity = fingerprint(labels, ())
    key = event_key(identity, status, starts_at, ends_at)
    return AlertEvent(key, identity, status, labels, {}, starts_at, ends_at)


class Book:
    """Incidents with their store."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        routes = [('severity="critical"', ("page", "chat")), ("", ("chat",))]
        routing = Routing(
            public_url="http://127.0.0.1:9600",
            channels={"pd": Channel("pd", "pagerduty"), "chat": Channel("chat", "slack")},
            teams={"dev": Team("dev", page="pd", chat="chat")},
            routes=tuple(Route(match, parse_matchers(match), send) for match, send in routes),
        )
        self.engine = engine
        self.config = ServiceConfig(env="local", routing=routing, data_dir=folder)
        self.restart()

    def restart(self, at_s: float = 0) -> None:
        self.state = Incidents(self.config)
        with self.engine.begin() as connection:
            self.state.load(connection, NOON.timestamp() + at_s)

    @contextmanager
    def unit(self, at_s: float) -> Iterator[Unit]:
        with self.engine.begin() as connection:
            yield Unit(connection, NOON.timestamp() + at_s)

    def take(self, at_s: float, *events: AlertEvent) -> None:
        with self.unit(at_s) as unit:
            first = event_rows.last_event_id(unit.connection) + 1
            event_rows.insert_events(unit.connection, events, first_id=first, received_at=unit.now)
            self.state.apply(unit, events)
            self.state.resolve_quiet(unit)
            self.state.passing.tick(unit)

    def heard(self, at_s: float) -> list[tuple[str, str]]:
        """Have the channels take what is due; return channel and kind."""
        sent = []
        with self.unit(at_s) as unit:
            for channel in ("pd", "chat"):
                while claim := outbox.claim(unit.connection, channel, now=unit.now, kinds=KINDS):
                    self.state.claimed(claim.item.incident, channel)
                    outcome = outbox.Outcome("done", unit.now, reference="r")
                    outbox.settle(unit.connection, claim.item.id, outcome)
                    sent.append((channel, claim.item.kind))
        return sent

    def passes(self, count: int) -> float:
        """Have alerts of one kind come and go; return the second at which all that is over."""
        at_s = 0.0
        for _ in range(count):
            self.take(at_s, an_event(at_s))
            self.take(at_s + 20, an_event(at_s + 20, began_s=at_s))
            self.take(at_s + 400)
            self.heard(at_s + 450)
            at_s += 500
        return at_s


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    engine = open_writer(tmp_path / "alerts.db")
    migrate(engine)
    yield Book(engine, tmp_path)
    engine.dispose()


def test_what_is_seldom_seen_is_told_at_once(book: Book) -> None:
    at_s = book.passes(5)
    book.take(at_s, an_event(at_s))
    assert [("chat", "open")] == book.heard(at_s)


def test_what_passes_is_told_to_nobody(book: Book) -> None:
    at_s = book.passes(10)
    book.take(at_s, an_event(at_s))
    assert [] == book.heard(at_s + 1)
    book.take(at_s + 30, an_event(at_s + 30, began_s=at_s))
    book.take(at_s + 400)
    assert [] == book.heard(at_s + 500)
    with book.engine.connect() as connection:
        detail = reading.incident(connection, 11, members=5)
    assert detail is not None
    assert "resolved" == detail.summary.state
    assert any("chat not told" in entry.text for entry in detail.timeline)


def test_what_still_fires_is_told_after_the_hold(book: Book) -> None:
    at_s = book.passes(10)
    book.take(at_s, an_event(at_s))
    assert [] == book.heard(at_s + 89)
    assert [("chat", "open")] == book.heard(at_s + 90)


def test_what_comes_back_is_told(book: Book) -> None:
    at_s = book.passes(10)
    book.take(at_s, an_event(at_s))
    book.take(at_s + 30, an_event(at_s + 30, began_s=at_s))
    book.take(at_s + 60, an_event(at_s + 60))
    assert [("chat", "open")] == book.heard(at_s + 61)


def test_critical_is_never_held_and_tells_of_what_is(book: Book) -> None:
    at_s = book.passes(10)
    book.take(at_s, an_event(at_s))
    book.take(at_s + 5, an_event(at_s + 5, severity="critical"))
    heard = book.heard(at_s + 5)
    assert {("pd", "open"), ("chat", "open")} <= set(heard)


def test_what_stays_is_learned_too(book: Book) -> None:
    at_s = book.passes(10)
    book.take(at_s, an_event(at_s))
    book.take(at_s + 100)
    book.take(at_s + 200, an_event(at_s + 200, began_s=at_s))
    book.take(at_s + 600)
    book.heard(at_s + 700)
    book.take(at_s + 800, an_event(at_s + 800))
    assert [("chat", "open")] == book.heard(at_s + 800)


def test_a_restart_still_knows_what_is_held_and_what_passes(book: Book) -> None:
    at_s = book.passes(10)
    book.take(at_s, an_event(at_s))
    book.restart(at_s + 10)
    book.take(at_s + 30, an_event(at_s + 30, began_s=at_s))
    book.take(at_s + 400)
    assert [] == book.heard(at_s + 500)
    book.take(at_s + 600, an_event(at_s + 600))
    assert [] == book.heard(at_s + 600)
