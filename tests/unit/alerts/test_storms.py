"""Storms as the service keeps them, on a real store, without processes or time."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from abops.alerts.ingest.identity import event_key, fingerprint
from abops.alerts.model import (
    AlertEvent,
    Channel,
    IncidentSummary,
    Storm,
)
from abops.alerts.service.watch import deadman
from abops.alerts.store import reading
from abops.alerts.store import storms as storm_rows
from support.book import NOON, a_store
from support.book import Book as Store

QUIET_S = 250
"""Longer than a minute's window and the three quiet minutes after it."""


def an_event(
    number: int,
    *,
    name: str = "PodNotReady",
    service: str = "api",
    severity: str = "warning",
    at_s: float = 0,
) -> AlertEvent:
    labels = {"alertname": name, "severity": severity, "service": service, "env": "local"}
    labels["pod"] = f"{service}-{number}"
    starts_at = NOON + timedelta(seconds=at_s)
    identity = fingerprint(labels, ())
    key = event_key(identity, "firing", starts_at, None)
    return AlertEvent(key, identity, "firing", labels, {}, starts_at, None)


class Book(Store):
    """The store, and what a storm is made and seen with."""

    def tick(self, at_s: float) -> None:
        with self.unit(at_s) as unit:
            self.state.storms.tick(unit)

    def flood(self, count: int, *, services: int = 1, at_s: float = 0, first: int = 0) -> None:
        numbers = range(first, first + count)
        self.take(*(an_event(n, service=f"s{n % services}", at_s=at_s) for n in numbers), at_s=at_s)

    def incidents(self) -> list[IncidentSummary]:
        with self.engine.connect() as connection:
            found = reading.incidents(connection, state=None, limit=1_000)
        return [incident for incident in found if incident.merged_into is None]

    def storms(self) -> tuple[Storm, ...]:
        with self.engine.connect() as connection:
            return storm_rows.listed(connection, 10)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    with a_store(tmp_path) as engine:
        yield Book(engine, tmp_path)


def test_a_flood_of_many_services_is_one_incident(book: Book) -> None:
    book.flood(300, services=10)
    (incident,) = book.incidents()
    assert ("storm", 300) == (incident.shape, incident.alerts)
    (storm,) = book.storms()
    assert "all of local" == storm.scope


def test_few_alerts_are_no_storm(book: Book) -> None:
    book.flood(15, services=3)
    assert () == book.storms()
    assert {"alerts"} == {incident.shape for incident in book.incidents()}


def test_nothing_sent_before_is_told_one_by_one_once_a_storm_speaks_for_it(book: Book) -> None:
    book.flood(300, services=10)
    book.tick(1)
    sent = book.send_all(2)
    assert {1} == {incident for _, _, incident in sent}
    assert 1 == sum(kind == "open" for _, kind, _ in sent)


def test_a_channel_is_told_once_a_minute(book: Book) -> None:
    book.flood(200, services=5)
    book.tick(0)
    book.send_all(0)
    kinds = []
    for second in range(1, 60):
        book.flood(3, services=5, at_s=second, first=200 + 3 * second)
        book.tick(second)
        kinds += book.send_all(second)
    assert len(kinds) <= 1  # what came with the first message's own second
    book.flood(3, services=5, at_s=62, first=1_000)
    book.tick(62)
    assert [("chat", "digest", 1)] == book.send_all(63)


def test_a_storm_of_one_service_leaves_the_others_alone(book: Book) -> None:
    book.flood(200)
    book.flood(200, at_s=25, first=200)
    book.take(an_event(1, service="other", name="DiskFull", at_s=26), at_s=26)
    (storm,) = book.storms()
    assert "s0 in local" == storm.scope
    by_service = {incident.service: incident for incident in book.incidents()}
    assert ("alerts", 1) == (by_service["other"].shape, by_service["other"].alerts)
    assert ("storm", 400) == (by_service["s0"].shape, by_service["s0"].alerts)


def test_storms_of_services_end_in_the_one_over_all(book: Book) -> None:
    book.flood(200)
    book.flood(50, at_s=25, first=200)
    for service in range(1, 6):
        book.take(
            *(an_event(n, service=f"s{service}", at_s=30) for n in range(200)), at_s=30 + service
        )
    scopes = {storm.scope: storm.ended_at is None for storm in book.storms()}
    assert scopes["all of local"]
    assert not scopes["s0 in local"]
    (incident,) = book.incidents()
    assert 1_250 == incident.alerts


def test_critical_kinds_unseen_for_a_week_page_alone_twice(book: Book) -> None:
    book.flood(300, services=10)
    for n, name in enumerate(("DatabaseGone", "DiskFull", "KeyLeaked")):
        book.take(an_event(n, name=name, service="s0", severity="critical", at_s=5), at_s=5)
    book.take(an_event(9, name="DatabaseGone", service="s1", severity="critical", at_s=6), at_s=6)
    book.tick(7)
    (storm,) = book.storms()
    assert 2 == storm.paged_alone
    assert 304 == storm.alerts == storm.digested + storm.paged_alone
    alone = sorted(i.title for i in book.incidents() if i.shape == "alerts")
    assert ["DatabaseGone on s0", "DiskFull on s0"] == alone
    paged = {number for channel, kind, number in book.send_all(60) if channel == "pd"}
    assert 3 == len(paged)


def two_teams(book: Book) -> None:
    """Give each of two services a team that is paged by a key of its own."""
    routing = book.config.routing
    other = replace(routing.teams["dev"], name="other", page="pd-other")
    routing = replace(
        routing,
        channels=routing.channels | {"pd-other": Channel("pd-other", "pagerduty")},
        teams=routing.teams | {"other": other},
        owners={"s1": "other"},
    )
    book.config = replace(book.config, routing=routing)
    book.restart()


def test_a_storm_that_woke_two_teams_pages_alone_once(book: Book) -> None:
    two_teams(book)
    first = [an_event(n, name="Down", service=f"s{n}", severity="critical") for n in range(2)]
    book.take(*first)
    book.flood(300, services=10)
    for number, name in enumerate(("Lost", "Stuck", "Broken")):
        book.take(an_event(number, name=name, severity="critical", at_s=1), at_s=1)
    book.tick(1)
    pages = [channel for channel, _, _ in book.send_all(60) if channel.startswith("pd")]
    assert ["pd", "pd", "pd-other"] == sorted(pages)


def test_silence_of_alertmanager_is_never_part_of_a_storm(book: Book) -> None:
    book.take(deadman("local", since=NOON))
    book.flood(300, services=10, at_s=1)
    assert [1, 300] == sorted(incident.alerts for incident in book.incidents())


def test_silence_of_alertmanager_is_told_by_itself_in_a_storm(book: Book) -> None:
    book.flood(300, services=10)
    for n, name in enumerate(("DatabaseGone", "DiskFull")):
        book.take(an_event(n, name=name, service="s0", severity="critical", at_s=5), at_s=5)
    book.take(deadman("local", since=NOON), at_s=6)
    assert [1, 1, 1, 300] == sorted(incident.alerts for incident in book.incidents())


def test_a_restart_tells_nothing_again_and_loses_no_count(book: Book) -> None:
    book.flood(300, services=10)
    book.tick(1)
    book.send_all(1)
    book.tick(2)
    before = book.send_all(2)
    book.restart(3)
    book.tick(4)
    assert [] == [*before[1:], *book.send_all(4)]
    book.flood(100, services=10, at_s=5, first=300)
    book.tick(65)
    assert [("chat", "digest", 1)] == book.send_all(66)
    said = book.state.storms.said(1, "chat")
    assert said is not None
    assert 400 == said.told.alerts == book.storms()[0].alerts


def test_after_it_a_new_alert_opens_an_incident_of_its_own(book: Book) -> None:
    book.flood(300, services=10)
    book.tick(1)
    book.send_all(1)
    book.tick(QUIET_S)
    (storm,) = book.storms()
    assert storm.ended_at is not None
    book.take(an_event(1, name="DiskFull", service="s0", at_s=QUIET_S), at_s=QUIET_S)
    assert {"alerts", "storm"} == {incident.shape for incident in book.incidents()}
    said = book.state.storms.said(storm.incident, "chat")
    assert said is not None
    assert ("over", 300) == (said.what, said.told.alerts)


def test_the_first_page_goes_at_once_and_the_next_waits_for_a_storm(book: Book) -> None:
    book.take(an_event(1, name="A", service="a", severity="critical"))
    book.take(an_event(2, name="Unlike", service="b", severity="critical", at_s=2), at_s=2)
    assert [("pd", "open", 1)] == [s for s in book.send_all(2) if s[0] == "pd"]
    assert [("pd", "open", 2)] == [s for s in book.send_all(3.6) if s[0] == "pd"]


def test_a_page_of_another_time_does_not_wait(book: Book) -> None:
    book.take(an_event(1, name="A", service="a", severity="critical"))
    book.take(an_event(2, name="Unlike", service="b", severity="critical", at_s=20), at_s=20)
    assert [1, 2] == [number for channel, _, number in book.send_all(20) if channel == "pd"]


def test_what_stands_for_a_storm_is_ten_alerts_at_most(book: Book) -> None:
    book.flood(600, services=30)
    book.tick(3)
    (storm,) = book.storms()
    assert 10 == len(storm.samples)
    assert all(sample.stands_for == 20 for sample in storm.samples)
