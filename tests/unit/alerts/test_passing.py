"""What mostly passes by itself is held; what is held is told as soon as there is reason to."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from abops.alerts.ingest.identity import event_key, fingerprint
from abops.alerts.model import AlertEvent, AlertStatus
from abops.alerts.store import reading
from support.book import NOON, a_store
from support.book import Book as Store


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


class Book(Store):
    """The store, with time that passes by what happens."""

    def comes(self, at_s: float, *events: AlertEvent) -> None:
        self.take(*events, at_s=at_s)
        with self.unit(at_s) as unit:
            self.state.resolve_quiet(unit)
            self.state.passing.tick(unit)

    def heard(self, at_s: float) -> list[tuple[str, str]]:
        """Have the channels take what is due; return channel and kind."""
        return [(channel, kind) for channel, kind, _ in self.send_all(at_s)]

    def passes(self, count: int) -> float:
        """Have alerts of one kind come and go; return the second at which all that is over."""
        at_s = 0.0
        for _ in range(count):
            self.comes(at_s, an_event(at_s))
            self.comes(at_s + 20, an_event(at_s + 20, began_s=at_s))
            self.comes(at_s + 400)
            self.heard(at_s + 450)
            at_s += 500
        return at_s


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    with a_store(tmp_path) as engine:
        yield Book(engine, tmp_path)


def test_what_is_seldom_seen_is_told_at_once(book: Book) -> None:
    at_s = book.passes(5)
    book.comes(at_s, an_event(at_s))
    assert [("chat", "open")] == book.heard(at_s)


def test_what_passes_is_told_to_nobody(book: Book) -> None:
    at_s = book.passes(10)
    book.comes(at_s, an_event(at_s))
    assert [] == book.heard(at_s + 1)
    book.comes(at_s + 30, an_event(at_s + 30, began_s=at_s))
    book.comes(at_s + 400)
    assert [] == book.heard(at_s + 500)
    with book.engine.connect() as connection:
        detail = reading.incident(connection, 11, members=5)
    assert detail is not None
    assert "resolved" == detail.summary.state
    assert any("chat not told" in entry.text for entry in detail.timeline)


def test_what_still_fires_is_told_after_the_hold(book: Book) -> None:
    at_s = book.passes(10)
    book.comes(at_s, an_event(at_s))
    assert [] == book.heard(at_s + 89)
    assert [("chat", "open")] == book.heard(at_s + 90)


def test_what_comes_back_is_told(book: Book) -> None:
    at_s = book.passes(10)
    book.comes(at_s, an_event(at_s))
    book.comes(at_s + 30, an_event(at_s + 30, began_s=at_s))
    book.comes(at_s + 60, an_event(at_s + 60))
    assert [("chat", "open")] == book.heard(at_s + 61)


def test_critical_is_never_held_and_tells_of_what_is(book: Book) -> None:
    at_s = book.passes(10)
    book.comes(at_s, an_event(at_s))
    book.comes(at_s + 5, an_event(at_s + 5, severity="critical"))
    heard = book.heard(at_s + 5)
    assert {("pd", "open"), ("chat", "open")} <= set(heard)


def test_what_stays_is_learned_too(book: Book) -> None:
    at_s = book.passes(10)
    book.comes(at_s, an_event(at_s))
    book.comes(at_s + 100)
    book.comes(at_s + 200, an_event(at_s + 200, began_s=at_s))
    book.comes(at_s + 600)
    book.heard(at_s + 700)
    book.comes(at_s + 800, an_event(at_s + 800))
    assert [("chat", "open")] == book.heard(at_s + 800)


def test_a_restart_still_knows_what_is_held_and_what_passes(book: Book) -> None:
    at_s = book.passes(10)
    book.comes(at_s, an_event(at_s))
    book.restart(at_s + 10)
    book.comes(at_s + 30, an_event(at_s + 30, began_s=at_s))
    book.comes(at_s + 400)
    assert [] == book.heard(at_s + 500)
    book.comes(at_s + 600, an_event(at_s + 600))
    assert [] == book.heard(at_s + 600)
