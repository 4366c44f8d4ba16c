"""When people are told: by which policy, not while they sleep, together once an hour."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from abops.alerts.ingest.identity import event_key, fingerprint
from abops.alerts.model import (
    Actor,
    AlertEvent,
    AlertStatus,
    Level,
    Policy,
    QuietHours,
    Route,
    RouteDecision,
    Routing,
    Team,
)
from abops.alerts.route.explain import levels_in_words, timing_in_words
from abops.alerts.route.matcher import parse_matchers
from abops.alerts.route.quiet import quiet_until
from abops.alerts.route.tree import decide
from abops.alerts.service.figures import hour_of
from abops.alerts.store import reading
from abops.alerts.store.statistics import pages
from support.book import NOON, a_routing, a_store
from support.book import Book as Store

SLEEPS = QuietHours(begin=11 * 60, end=13 * 60)
"""Around noon, when these tests take place."""
HOUR_S = 3_600.0
NOW = NOON


def an_event(
    name: str = "ProbeFailed", at_s: float = 0, *, ended: bool = False, **labels: str
) -> AlertEvent:
    known = {"alertname": name, "severity": "warning", "service": "api", "env": "local"} | labels
    status: AlertStatus = "resolved" if ended else "firing"
    starts_at = NOON + timedelta(seconds=at_s)
    ends_at = NOON + timedelta(seconds=at_s + 30) if ended else None
    identity = fingerprint(known, ())
    return AlertEvent(
        event_key(identity, status, starts_at, ends_at),
        identity,
        status,
        known,
        {},
        starts_at,
        ends_at,
    )


class Book(Store):
    """The store under a routing of the test's own."""

    def routes(self, routing: Routing) -> None:
        self.config = replace(self.config, routing=routing)
        self.restart()

    def heard(self, at_s: float) -> list[tuple[str, str, int]]:
        return self.send_all(at_s)

    def tick(self, at_s: float) -> None:
        with self.unit(at_s) as unit:
            self.state.duty.tick(unit, self.state.unack)

    def timeline(self, number: int) -> list[str]:
        with self.engine.connect() as connection:
            found = reading.incident(connection, number, members=10)
        assert found is not None
        return [entry.text for entry in found.timeline]


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    with a_store(tmp_path) as engine:
        yield Book(engine, tmp_path)


def asleep() -> Routing:
    routing = a_routing()
    dev = replace(routing.teams["dev"], quiet=SLEEPS)
    secure = Route('category="security"', parse_matchers('category="security"'), ("tg",))
    return replace(
        routing, teams={"dev": dev}, routes=(*routing.routes[:1], secure, *routing.routes)
    )


def hourly(**route: object) -> Routing:
    routing = a_routing()
    routes = (routing.routes[0], replace(routing.routes[1], **route))
    return replace(routing, routes=routes)


# Quiet hours


def test_what_is_not_critical_waits_for_the_morning(book: Book) -> None:
    book.routes(asleep())
    book.take(an_event())
    assert [] == book.heard(HOUR_S - 1)
    assert [("chat", "open", 1)] == book.heard(HOUR_S)
    assert any("told at 13:00, after the quiet hours of dev" in text for text in book.timeline(1))


def test_what_is_critical_never_waits(book: Book) -> None:
    book.routes(asleep())
    book.take(an_event(severity="critical"))
    assert {("pd", "open", 1), ("chat", "open", 1)} == set(book.heard(0))


def test_security_and_tests_never_wait(book: Book) -> None:
    book.routes(asleep())
    book.take(an_event("Login", category="security", service="bot"))
    book.take(an_event("AbopsTestAlert", test="true", service="path"))
    assert {("tg", "open", 1), ("chat", "open", 2)} == set(book.heard(0))


def test_a_rise_to_critical_tells_what_was_held(book: Book) -> None:
    book.routes(asleep())
    book.take(an_event())
    book.take(an_event("ApiDown", 20, severity="critical"), at_s=20)
    heard = book.heard(22)
    assert {("pd", "open", 1), ("chat", "open", 1)} <= set(heard)


def test_what_is_over_before_the_morning_is_not_told_and_after_a_restart_neither(
    book: Book,
) -> None:
    book.routes(asleep())
    book.take(an_event())
    book.restart(10)
    book.take(an_event(ended=True), at_s=40)
    assert [] == book.heard(2 * HOUR_S)
    assert any("over before it was told" in text for text in book.timeline(1))


def test_a_warning_that_joins_does_not_wake_anybody(book: Book) -> None:
    book.routes(asleep())
    book.take(an_event())
    book.take(an_event("Slow", 30), at_s=30)
    assert [] == book.heard(HOUR_S - 1)


def test_a_recovery_waits_too(book: Book) -> None:
    book.routes(asleep())
    early = -2 * HOUR_S
    book.take(an_event(at_s=early), at_s=early)
    assert [("chat", "open", 1)] == book.heard(early)
    book.take(an_event(at_s=early, ended=True), at_s=0)
    with book.unit(600) as unit:
        book.state.resolve_quiet(unit)
    assert ("chat", "resolve", 1) not in book.heard(HOUR_S - 1)
    assert ("chat", "resolve", 1) in book.heard(HOUR_S)


@pytest.mark.parametrize(
    ("quiet", "tz", "at", "until"),
    [
        ((22, 7), "Europe/Berlin", "2026-11-24T23:30", "2026-11-25T06:00"),
        ((22, 7), "Europe/Berlin", "2026-11-25T05:59", "2026-11-25T06:00"),
        ((22, 7), "Europe/Berlin", "2026-11-25T06:00", None),
        ((22, 7), "Europe/Berlin", "2026-11-25T20:59", None),
        ((22, 7), "Europe/Berlin", "2026-11-25T21:00", "2026-11-26T06:00"),
        ((1, 5), "UTC", "2026-11-25T01:00", "2026-11-25T05:00"),
        ((22, 7), "Europe/Berlin", "2026-03-29T00:30", "2026-03-29T05:00"),
    ],
)
def test_quiet_hours_are_the_teams_own(
    quiet: tuple[int, int], tz: str, at: str, until: str | None
) -> None:
    hours = QuietHours(quiet[0] * 60, quiet[1] * 60)
    team = Team("dev", "pd", "chat", tz=tz, quiet=hours)
    found = quiet_until(team, datetime.fromisoformat(at).replace(tzinfo=UTC))
    assert (None if until is None else f"{until}:00+00:00") == (found and found.isoformat())


def test_quiet_hours_begin_only_on_their_days() -> None:
    weekend = QuietHours(22 * 60, 7 * 60, days=(4, 5))
    team = Team("dev", "pd", "chat", quiet=weekend)
    quiet = {
        day: quiet_until(team, datetime(2026, 11, day, 23, tzinfo=UTC)) is not None
        for day in range(23, 30)
    }
    assert [27, 28] == [day for day, is_quiet in quiet.items() if is_quiet]


# The hourly digest


def test_an_hour_is_told_in_one_message(book: Book) -> None:
    book.routes(hourly(digest="always"))
    book.take(an_event(severity="info"), an_event("Other", service="bot", severity="info"))
    assert [] == book.heard(HOUR_S - 1)
    assert [("chat", "hourly", 1), ("chat", "hourly", 2)] == book.heard(HOUR_S)


def test_a_page_tells_at_once_what_waited_for_the_digest(book: Book) -> None:
    book.routes(hourly(digest="always"))
    book.take(an_event(severity="info"))
    book.take(an_event("ApiDown", 20, severity="critical"), at_s=20)
    heard = book.heard(22)
    assert {("pd", "open", 1), ("chat", "open", 1)} <= set(heard)
    assert [] == book.heard(2 * HOUR_S)


def test_what_is_over_is_no_line_of_the_digest(book: Book) -> None:
    book.routes(hourly(digest="always"))
    book.take(an_event(severity="info"))
    book.take(an_event(severity="info", ended=True), at_s=40)
    assert [] == book.heard(2 * HOUR_S)


def test_a_low_score_makes_a_line_of_the_digest_of_a_warning(book: Book) -> None:
    book.routes(hourly(digest="unlikely"))
    with book.unit(0) as unit:
        book.state.judging.scored(unit, 99, 0.5, ())  # something was learned
    book.take(an_event())
    assert [] == book.heard(1)
    with book.unit(1) as unit:
        book.state.judging.scored(unit, 1, 0.04, ("nobody ever acted",))
    assert [] == book.heard(10)
    assert [("chat", "hourly", 1)] == book.heard(HOUR_S)
    assert any("hourly digest: score 0.04" in text for text in book.timeline(1))


def test_a_high_score_leaves_a_warning_as_it_is(book: Book) -> None:
    book.routes(hourly(digest="unlikely"))
    with book.unit(0) as unit:
        book.state.judging.scored(unit, 99, 0.5, ())
    book.take(an_event())
    with book.unit(1) as unit:
        book.state.judging.scored(unit, 1, 0.6, ())
    assert [("chat", "open", 1)] == book.heard(3)


def test_a_low_score_changes_nothing_where_the_route_does_not_say_so(book: Book) -> None:
    book.take(an_event())
    with book.unit(1) as unit:
        book.state.judging.scored(unit, 1, 0.04, ())
    assert [("chat", "open", 1)] == book.heard(1)


def test_a_low_score_never_touches_what_is_critical(book: Book) -> None:
    book.routes(
        replace(
            hourly(), routes=tuple(replace(route, digest="unlikely") for route in hourly().routes)
        )
    )
    book.take(an_event(severity="critical"))
    with book.unit(0) as unit:
        book.state.judging.scored(unit, 1, 0.01, ())
    assert {("pd", "open", 1), ("chat", "open", 1)} == set(book.heard(0))


def test_what_was_told_is_not_taken_back_by_a_score(book: Book) -> None:
    book.routes(hourly(digest="unlikely"))
    book.take(an_event())
    assert [("chat", "open", 1)] == book.heard(0)
    with book.unit(1) as unit:
        book.state.judging.scored(unit, 1, 0.04, ())
    assert [] == book.heard(2 * HOUR_S)


def test_the_digest_survives_a_restart(book: Book) -> None:
    book.routes(hourly(digest="always"))
    book.take(an_event(severity="info"))
    book.restart(60)
    book.take(an_event("Second", 61, severity="info"), at_s=61)
    assert [] == book.heard(HOUR_S - 1)
    assert [("chat", "hourly", 1)] == book.heard(HOUR_S)


# Nights


def test_it_is_night_where_the_team_lives_that_was_paged(book: Book) -> None:
    team = a_routing().teams["dev"]
    tokyo = replace(team, tz="Asia/Tokyo")  # noon in London is 21:00 there, midnight after 3 h
    routing = replace(a_routing(), teams={"dev": tokyo}, escalation=Policy((Level("dev", 0),)))
    book.routes(routing)
    late = 3 * HOUR_S
    book.take(an_event(severity="critical", at_s=late), at_s=late)
    with book.engine.connect() as connection:
        (woken,) = pages(connection, NOON.timestamp(), NOON.timestamp() + 2 * late)
    assert ("dev", 0) == (woken.team, hour_of(woken, routing))


# Policies


def escalating() -> Routing:
    routing = a_routing()
    match = 'severity="critical", service="bot"'
    special = Route(match, parse_matchers(match), ("page", "chat"), escalate="quick")
    teams = {name: replace(routing.teams["dev"], name=name) for name in ("dev", "devops", "boss")}
    return replace(
        routing,
        teams=teams,
        routes=(special, *routing.routes),
        escalation=Policy((Level("dev", 0), Level("devops", 900))),
        policies={"quick": Policy((Level("dev", 0), Level("boss", 60)))},
    )


def levels(book: Book) -> list[str]:
    with book.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT team FROM page ORDER BY id")
        return [row[0] for row in rows]


def test_a_route_escalates_by_its_own_policy(book: Book) -> None:
    book.routes(escalating())
    book.take(an_event(service="bot", severity="critical"))
    book.tick(59)
    assert ["dev"] == levels(book)
    book.tick(61)
    assert ["dev", "boss"] == levels(book)
    assert any("level 2 of quick (boss) paged" in text for text in book.timeline(1))


def test_the_default_policy_is_for_all_others(book: Book) -> None:
    book.routes(escalating())
    book.take(an_event(severity="critical"))
    book.tick(61)
    assert ["dev"] == levels(book)
    book.tick(901)
    assert ["dev", "devops"] == levels(book)


def test_a_restart_keeps_the_policy(book: Book) -> None:
    book.routes(escalating())
    book.take(an_event(service="bot", severity="critical"))
    book.restart(30)
    book.tick(61)
    assert ["dev", "boss"] == levels(book)


def test_what_is_split_off_escalates_by_its_route(book: Book) -> None:
    book.routes(escalating())
    warning = an_event(service="bot")
    critical = an_event("Down", service="bot", severity="critical")
    book.take(warning, critical)
    with book.unit(1) as unit:
        number = book.state.regroup.split(unit, 1, [critical.fingerprint], Actor("ana", "cli"))
    book.restart(2)
    book.tick(3)
    book.tick(70)
    with book.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT team FROM page WHERE incident = ?", (number,))
        assert ["dev", "boss"] == [row[0] for row in rows]


# In words


def explained(routing: Routing, **labels: str) -> tuple[RouteDecision, tuple[str, ...], str]:
    decision = decide(routing, labels)
    return (
        decision,
        levels_in_words(routing, decision, labels),
        timing_in_words(routing, decision, labels),
    )


def test_the_policy_is_explained() -> None:
    _, said, timing = explained(escalating(), severity="critical", service="bot")
    assert (("dev at once", "boss after 1 min"), "") == (said, timing)


def test_what_waits_is_explained() -> None:
    _, said, timing = explained(asleep(), severity="warning", service="api")
    assert ((), "not in the quiet hours of dev, 11:00-13:00 UTC") == (said, timing)
    _, _, timing = explained(hourly(digest="always", min_alerts=3), severity="info", service="api")
    assert "once 3 alerts of it fire, begun within 5 min; in the hourly digest" == timing
