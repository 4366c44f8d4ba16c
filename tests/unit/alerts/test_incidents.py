"""The keeping of incidents, on a real store, without processes or time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from abops.alerts.model import (
    Actor,
    AlertEvent,
    IncidentDetail,
    IncidentSummary,
)
from abops.alerts.service.memory import IncidentResolvedError, IncidentUnknownError
from abops.alerts.store import outbox, reading
from abops.kernel.errors import OpsError
from support.book import Book as Store
from support.book import a_store, an_event

ANA = Actor("ana", "cli")


class Book(Store):
    """The store, and what these tests ask it."""

    def clock(self, at_s: float) -> None:
        with self.unit(at_s) as unit:
            self.state.resolve_quiet(unit)

    def incidents(self) -> tuple[IncidentSummary, ...]:
        with self.engine.connect() as connection:
            return reading.incidents(connection, state=None, limit=100)

    def told(self) -> list[tuple[str, str]]:
        with self.engine.connect() as connection:
            rows = connection.exec_driver_sql("SELECT channel, kind FROM outbox ORDER BY id")
            return [(row[0], row[1]) for row in rows]

    def knows(self, calls: tuple[tuple[str, str], ...]) -> None:
        self.config = replace(self.config, calls=calls)
        self.restart()

    def detail(self, number: int) -> IncidentDetail:
        with self.engine.connect() as connection:
            found = reading.incident(connection, number, members=100)
        assert found is not None
        return found


@contextmanager
def a_book(folder: Path) -> Iterator[Book]:
    with a_store(folder) as engine:
        yield Book(engine, folder)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    with a_book(tmp_path) as book:
        yield book


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("laws")


def shape(incidents: Sequence[IncidentSummary]) -> set[tuple[str, str, int, int, str]]:
    return {(i.service, i.severity, i.alerts, i.firing, i.state) for i in incidents}


def groups(book: Book) -> set[tuple[str, ...]]:
    """Return which alerts are together; which of them came first decides the rest."""
    with book.engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT group_concat(fingerprint) FROM member JOIN incident ON incident = number"
            " WHERE incident.state <> 'resolved' GROUP BY number"
        )
        return {tuple(sorted(row[0].split(","))) for row in rows}


some_events = st.lists(
    st.builds(
        an_event,
        st.sampled_from(["A", "B", "C"]),
        severity=st.sampled_from(["critical", "warning", "info"]),
        service=st.sampled_from(["api", "bot"]),
    ),
    min_size=1,
    max_size=12,
)
_laws = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@_laws
@given(some_events, st.integers())
def test_the_order_in_which_alerts_arrive_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, events: list[AlertEvent], seed: int
) -> None:
    shuffled = Random(seed).sample(events, len(events))  # noqa: S311 - an order
    with a_book(tmp_path_factory.mktemp("a")) as one, a_book(tmp_path_factory.mktemp("b")) as two:
        one.take(*events)
        for event in shuffled:
            two.take(event)
        assert groups(one) == groups(two)


@_laws
@given(some_events)
def test_what_is_said_twice_counts_once(
    tmp_path_factory: pytest.TempPathFactory, events: list[AlertEvent]
) -> None:
    with a_book(tmp_path_factory.mktemp("a")) as book:
        book.take(*events, *events)
        once, told = book.incidents(), book.told()
        book.take(*events, at_s=5)
        assert (once, told) == (book.incidents(), book.told())


def test_alerts_of_one_service_are_one_incident_and_one_message(book: Book) -> None:
    book.take(an_event("A"), an_event("B"), an_event("X", service="bot"))
    assert {("api", "warning", 2, 2, "open"), ("bot", "warning", 1, 1, "open")} == shape(
        book.incidents()
    )
    assert [("chat", "open"), ("chat", "open")] == book.told()


def test_a_second_alert_edits_the_message_and_pages_nobody_again(book: Book) -> None:
    book.take(an_event("A", severity="critical"))
    book.send_all(1)
    book.take(an_event("B", severity="critical"), at_s=2)
    book.take(an_event("C", severity="critical"), at_s=3)
    assert [("pd", "open"), ("chat", "open"), ("chat", "update")] == book.told()


def test_a_rise_to_critical_pages_and_undoes_the_acknowledgement(book: Book) -> None:
    book.take(an_event("A"))
    with book.unit(1) as unit:
        book.state.ack(unit, 1, Actor("ana", "cli"))
    book.send_all(1)
    book.take(an_event("B", severity="critical"), at_s=2)
    assert [("chat", "open"), ("chat", "ack"), ("chat", "rise"), ("pd", "open")] == book.told()
    assert [("critical", "open", "")] == [
        (i.severity, i.state, i.acked_by) for i in book.incidents()
    ]


def test_an_incident_resolves_when_nothing_has_fired_for_long_enough(book: Book) -> None:
    book.take(an_event(severity="critical"))
    book.take(an_event(severity="critical", status="resolved"), at_s=60)
    book.clock(359)
    assert "open" == book.incidents()[0].state
    book.clock(360)
    assert "resolved" == book.incidents()[0].state
    assert [("pd", "resolve"), ("chat", "resolve")] == book.told()[-2:]


def test_nothing_joins_a_resolved_incident(book: Book) -> None:
    book.take(an_event())
    book.take(an_event(status="resolved"), at_s=60)
    book.clock(360)
    book.take(an_event(start_s=400), at_s=400)
    assert [(2, "open", 1), (1, "resolved", None)] == [
        (i.number, i.state, i.recurs) for i in book.incidents()
    ]


def test_an_alert_that_fires_again_keeps_its_incident_open(book: Book) -> None:
    book.take(an_event())
    book.take(an_event(status="resolved"), at_s=60)
    book.take(an_event(start_s=120), at_s=120)
    book.clock(1000)
    assert {("api", "warning", 1, 1, "open")} == shape(book.incidents())


def test_after_the_window_a_new_incident_opens_beside_the_old_one(book: Book) -> None:
    book.take(an_event("A"))
    book.take(an_event("B", start_s=601), at_s=601)
    assert [2, 1] == [i.number for i in book.incidents()]


def test_a_firing_older_than_a_known_resolve_is_only_counted(book: Book) -> None:
    book.take(an_event(status="firing", start_s=10))
    book.take(an_event(status="resolved", start_s=10, end_s=60), at_s=60)
    book.take(an_event(status="firing", start_s=5), at_s=61)
    assert {("api", "warning", 1, 0, "open")} == shape(book.incidents())


def test_a_resolve_of_an_earlier_time_leaves_what_fires_now(book: Book) -> None:
    book.take(an_event(start_s=100))
    book.take(an_event(status="resolved", start_s=10, end_s=20), at_s=101)
    assert {("api", "warning", 1, 1, "open")} == shape(book.incidents())


def test_a_resolve_of_an_unknown_alert_opens_nothing(book: Book) -> None:
    book.take(an_event(status="resolved"))
    assert () == book.incidents()


def test_what_vanished_keeps_its_labels(book: Book) -> None:
    book.take(an_event("A"))
    said = an_event("A", status="resolved", end_s=400, source="reconcile")
    gone = AlertEvent(
        said.key, said.fingerprint, "resolved", {}, {}, said.starts_at, said.ends_at,
        source="reconcile",
    )  # fmt: skip
    book.take(gone, at_s=400)
    with book.engine.connect() as connection:
        detail = reading.incident(connection, 1, members=10)
    assert detail is not None
    alert = detail.members[0].alert
    assert ("A", "resolved", "vanished") == (alert.labels["alertname"], alert.state, alert.ended_by)


def test_after_a_restart_everything_goes_on(book: Book) -> None:
    book.take(an_event("A", severity="critical"), an_event("B"))
    before = book.incidents()
    book.restart()
    assert before == book.incidents()
    book.take(an_event("A", severity="critical", status="resolved"), at_s=60)
    book.take(an_event("B", status="resolved"), at_s=61)
    book.restart()
    book.clock(361)
    assert {("api", "critical", 2, 0, "resolved")} == shape(book.incidents())
    book.take(an_event("C", start_s=400), at_s=400)
    assert (2, 1) == (book.incidents()[0].number, book.incidents()[0].recurs)


def test_an_acknowledgement_is_told_once_and_audited(book: Book) -> None:
    book.take(an_event())
    for name in ("ana", "bo"):
        with book.unit(1) as unit:
            book.state.ack(unit, 1, Actor(name, "console"))
    with book.engine.connect() as connection:
        audit = connection.exec_driver_sql("SELECT actor, via, action, subject FROM audit").all()
    assert [("ana", "console", "ack", "INC-1")] == [tuple(row) for row in audit]
    assert [("chat", "open"), ("chat", "ack")] == book.told()


def test_an_acknowledgement_that_was_told_is_taken_back_at_every_channel(book: Book) -> None:
    book.take(an_event(severity="critical"))
    with book.unit(1) as unit:
        book.state.ack(unit, 1, Actor("ana", "console"))
    book.send_all(2)
    for name in ("bo", "cy"):
        with book.unit(3) as unit:
            book.state.unack(unit, 1, Actor(name, "api"))
    assert [("pd", "unack"), ("chat", "unack")] == book.told()[4:]
    summary = book.incidents()[0]
    assert ("open", "", None) == (summary.state, summary.acked_by, summary.acked_at)
    with book.unit(4) as unit:
        pages = outbox.unaccepted_pages(unit.connection, unit.now)
        audit = unit.connection.exec_driver_sql("SELECT actor, via, action FROM audit").all()
        detail = reading.incident(unit.connection, 1, members=1)
    assert [("pd", "unack")] == [(item.channel, item.kind) for item in pages]
    assert [("ana", "console", "ack"), ("bo", "api", "unack")] == [tuple(row) for row in audit]
    assert detail is not None
    assert [("unacked", "bo", "bo takes it from ana; it is open")] == [
        (entry.kind, entry.actor, entry.text) for entry in detail.timeline[-1:]
    ]


def test_an_acknowledgement_that_nobody_heard_of_is_taken_back_in_silence(book: Book) -> None:
    book.take(an_event("A", severity="critical"))
    book.send_all(1)
    with book.unit(2) as unit:
        book.state.ack(unit, 1, Actor("ana", "console"))
        book.state.unack(unit, 1, Actor("ana", "console"))
    with book.engine.connect() as connection:
        states = connection.exec_driver_sql(
            "SELECT channel, kind, state FROM outbox WHERE kind <> 'open' ORDER BY id"
        ).all()
    assert [
        ("pd", "ack", "skipped"),
        ("chat", "ack", "skipped"),
        ("chat", "update", "pending"),
    ] == [tuple(row) for row in states]
    book.send_all(10)
    book.take(an_event("B"), at_s=11)
    assert ("chat", "update") == book.told()[-1]


def test_what_is_not_acknowledged_is_left_alone(book: Book) -> None:
    book.take(an_event())
    with book.unit(1) as unit:
        book.state.unack(unit, 1, Actor("ana", "cli"))
        assert [] == unit.events
        with pytest.raises(IncidentUnknownError):
            book.state.unack(unit, 2, Actor("ana", "cli"))
    book.take(an_event(status="resolved"), at_s=60)
    book.clock(400)
    with book.unit(401) as unit, pytest.raises(IncidentResolvedError):
        book.state.unack(unit, 1, Actor("ana", "cli"))


def test_what_cannot_be_acknowledged_says_why(book: Book) -> None:
    book.take(an_event())
    book.take(an_event(status="resolved"), at_s=60)
    book.clock(400)
    with book.unit(401) as unit:
        with pytest.raises(IncidentResolvedError):
            book.state.ack(unit, 1, Actor("ana", "cli"))
        with pytest.raises(IncidentUnknownError):
            book.state.ack(unit, 2, Actor("ana", "cli"))


def test_a_page_that_is_not_accepted_goes_to_the_fallback_channel_once(book: Book) -> None:
    book.take(an_event(severity="critical"))
    for at_s in (61, 62):
        with book.unit(at_s) as unit:
            overdue = outbox.unaccepted_pages(unit.connection, unit.now - 60)
            assert ["pd"] == [item.channel for item in overdue]
            for item in overdue:
                book.state.fall_back(unit, item, "has not accepted it")
    assert [("pd", "open"), ("chat", "open"), ("tg", "fallback")] == book.told()
    assert ("pd", "chat", "tg") == book.incidents()[0].channels


def test_items_of_one_incident_are_sent_in_their_order(book: Book) -> None:
    book.take(an_event(severity="critical"))
    kinds = ("open", "ack", "resolve")
    with book.unit(1) as unit:
        book.state.ack(unit, 1, Actor("ana", "cli"))
        first = outbox.claim(unit.connection, "pd", now=unit.now, kinds=kinds)
        assert first is not None
        assert "open" == first.item.kind
        assert outbox.claim(unit.connection, "pd", now=unit.now, kinds=kinds) is None
        assert outbox.next_due(unit.connection, "pd", kinds=kinds) is None
        outbox.settle(unit.connection, first.item.id, outbox.Outcome("done", unit.now))
        second = outbox.claim(unit.connection, "pd", now=unit.now, kinds=kinds)
        assert second is not None
        assert "ack" == second.item.kind


def test_critical_messages_go_first(book: Book) -> None:
    book.take(an_event("X", service="bot"), an_event("A", severity="critical"))
    with book.unit(1) as unit:
        claim = outbox.claim(unit.connection, "chat", now=unit.now, kinds=("open",))
    assert claim is not None
    assert "critical" == claim.item.severity


def test_what_was_being_sent_at_a_crash_is_sent_again(book: Book) -> None:
    book.take(an_event(severity="critical"))
    with book.unit(1) as unit:
        assert outbox.claim(unit.connection, "pd", now=unit.now, kinds=("open",)) is not None
    with book.unit(2) as unit:
        assert 1 == outbox.take_back(unit.connection, unit.now)
        claim = outbox.claim(unit.connection, "pd", now=unit.now, kinds=("open",))
    assert claim is not None
    assert 2 == claim.item.attempts + 1


def test_a_firing_from_before_the_known_end_is_only_counted(book: Book) -> None:
    book.take(an_event(start_s=10))
    book.take(an_event(status="resolved", start_s=10, end_s=60), at_s=60)
    book.take(an_event(start_s=30), at_s=61)
    assert {("api", "warning", 1, 0, "open")} == shape(book.incidents())


def test_a_first_message_goes_before_an_earlier_update(book: Book) -> None:
    book.take(an_event("A"))
    book.send_all(1)
    book.take(an_event("B"), at_s=2)
    book.take(an_event("C", service="bot"), at_s=3)
    with book.unit(10) as unit:
        claim = outbox.claim(unit.connection, "chat", now=unit.now, kinds=("open", "update"))
    assert claim is not None
    assert ("open", 2) == (claim.item.kind, claim.item.incident)


CALLS = (("api", "postgres"), ("bot", "telegram"), ("bot", "postgres"))


def test_what_calls_it_joins_and_says_so(book: Book) -> None:
    book.knows(CALLS)
    book.take(an_event("PostgresDown", service="postgres", severity="critical"))
    book.take(an_event("ApiErrorStorm", severity="critical"), at_s=20)
    assert [(1, "postgres", 2)] == [(i.number, i.service, i.alerts) for i in book.incidents()]
    reasons = [m.reason for m in book.detail(1).members]
    assert ["nothing that it belongs to is open", "api calls postgres, 20 s before"] == reasons


def test_an_alert_that_belongs_to_two_makes_one_of_them(book: Book) -> None:
    book.knows(CALLS)
    book.take(an_event("PostgresDown", service="postgres"))
    book.take(an_event("TelegramAway", service="telegram", severity="critical"), at_s=60)
    assert 2 == len(book.incidents())
    book.send_all(61)
    book.take(an_event("BotHandlerErrors", service="bot"), at_s=69)
    one, other = sorted(book.incidents(), key=lambda i: i.number)
    assert (3, 3, "critical", "open") == (one.alerts, one.firing, one.severity, one.state)
    assert ("resolved", 1) == (other.state, other.merged_into)
    assert {"pd", "chat"} == set(one.channels)
    assert ("pd", "open") in book.told()
    assert any(entry.kind == "merged" for entry in book.detail(1).timeline)


def test_merged_by_hand_it_is_one_and_comes_back_as_that_one(book: Book) -> None:
    book.take(an_event("A"), an_event("X", service="bot"))
    with book.unit(5) as unit:
        book.state.regroup.by_hand(unit, 2, 1, ANA)
    assert [(1, 2, None), (2, 1, 1)] == [
        (i.number, i.alerts, i.merged_into)
        for i in sorted(book.incidents(), key=lambda i: i.number)
    ]
    book.restart()
    with book.unit(6) as unit, pytest.raises(IncidentResolvedError):
        book.state.ack(unit, 2, ANA)


def test_split_alerts_are_an_incident_of_their_own(book: Book) -> None:
    a, b = an_event("A", severity="critical"), an_event("B")
    book.take(a, b)
    with book.unit(5) as unit:
        number = book.state.regroup.split(unit, 1, [b.fingerprint], ANA)
    assert 2 == number
    assert {(1, 1, 1), (2, 1, 1)} == {(i.number, i.alerts, i.firing) for i in book.incidents()}
    book.take(an_event("B", status="resolved", end_s=9), at_s=9)
    assert {(1, 1), (2, 0)} == {(i.number, i.firing) for i in book.incidents()}


@pytest.mark.parametrize(
    ("number", "into"), [(1, 1), (1, 7), (7, 1)], ids=["itself", "to nothing", "nothing"]
)
def test_what_cannot_be_merged_is_refused(book: Book, number: int, into: int) -> None:
    book.take(an_event("A"))
    with book.unit(5) as unit, pytest.raises(OpsError):
        book.state.regroup.by_hand(unit, number, into, ANA)
    assert {("api", "warning", 1, 1, "open")} == shape(book.incidents())
