"""Which groups an alert joins, and what is said about it."""

import pytest

from abops.alerts.correlate.join import Correlator, Setting, Sighting
from abops.alerts.correlate.topology import Place, Topology

CALLS = (("api", "postgres"), ("bot", "postgres"), ("api", "redis"), ("bot", "telegram"))


def a_sighting(kind: str, service: str, at: float, env: str = "prod", **where: str) -> Sighting:
    return Sighting(kind, Place(env, service, **where), at)


def a_correlator() -> Correlator:
    return Correlator(Topology(CALLS))


def test_the_first_alert_joins_nothing() -> None:
    match = a_correlator().match(a_sighting("PostgresDown", "postgres", 0))
    assert ((), "nothing that it belongs to is open") == (match.groups, match.reason)


@pytest.mark.parametrize(
    ("service", "gap_s", "expected"),
    [
        ("postgres", 300, (1,)),
        ("postgres", 301, ()),
        ("api", 150, (1,)),
        ("api", 151, ()),
        ("redis", 37, (1,)),
        ("redis", 38, ()),
        ("telegram", 37, (1,)),
        ("unrelated", 0, ()),
    ],
)
def test_the_nearer_it_stands_the_longer_ago_it_may_be(
    service: str, gap_s: float, expected: tuple[int, ...]
) -> None:
    correlator = a_correlator()
    correlator.record(a_sighting("PostgresDown", "postgres", 0), 1)
    assert expected == correlator.match(a_sighting("Xyz", service, gap_s)).groups


def test_the_reason_names_the_call_and_the_time() -> None:
    correlator = a_correlator()
    correlator.record(a_sighting("PostgresDown", "postgres", 0), 1)
    match = correlator.match(a_sighting("ApiErrorStorm", "api", 12))
    assert "api calls postgres, 12 s before" == match.reason


def test_whoever_belongs_to_two_groups_names_both_oldest_first() -> None:
    correlator = a_correlator()
    correlator.record(a_sighting("TelegramApiDown", "telegram", 0), 2)
    correlator.record(a_sighting("PostgresDown", "postgres", 1), 1)
    match = correlator.match(a_sighting("BotHandlerErrors", "bot", 5))
    assert (1, 2) == match.groups
    assert {1, 2} == {term.group for term in match.terms}


def test_environments_stay_apart() -> None:
    correlator = a_correlator()
    correlator.record(a_sighting("PostgresDown", "postgres", 0), 1)
    assert () == correlator.match(a_sighting("PostgresDown", "postgres", 1, env="dev")).groups


def test_nothing_joins_a_closed_group() -> None:
    correlator = a_correlator()
    correlator.record(a_sighting("PostgresDown", "postgres", 0), 1)
    correlator.close(1)
    assert () == correlator.match(a_sighting("PostgresDown", "postgres", 1)).groups


def test_a_merged_group_answers_with_the_number_that_took_it() -> None:
    correlator = a_correlator()
    correlator.record(a_sighting("RedisDown", "redis", 0), 2)
    correlator.merge(2, 1)
    assert (1,) == correlator.match(a_sighting("RedisDown", "redis", 1)).groups


def test_kinds_that_always_come_together_join_without_a_call_between_them() -> None:
    correlator = Correlator()
    for day in range(40):
        correlator.record(a_sighting("A", "one", day * 1_000.0), 100 + day)
        correlator.record(a_sighting("B", "two", day * 1_000.0 + 0.2), 100 + day)
        correlator.record(a_sighting("C", "three", day * 1_000.0 + 400), 200 + day)
    correlator.record(a_sighting("A", "one", 90_000), 7)
    match = correlator.match(a_sighting("B", "two", 90_030))
    assert (7,) == match.groups
    assert "A often comes with it, 30 s before" == match.reason
    assert () == correlator.match(a_sighting("C", "three", 90_030)).groups


def test_people_teach_it() -> None:
    correlator = a_correlator()
    correlator.record(a_sighting("X", "one", 0), 1)
    assert () == correlator.match(a_sighting("Y", "two", 10)).groups
    for _ in range(3):
        correlator.teach({"X"}, {"Y"}, together=True)
    assert (1,) == correlator.match(a_sighting("Y", "two", 10)).groups
    for _ in range(9):
        correlator.teach({"X"}, {"Y"}, together=False)
    assert () == correlator.match(a_sighting("Y", "two", 10)).groups


def test_what_was_learned_survives_a_restart() -> None:
    correlator = a_correlator()
    for day in range(40):
        correlator.record(a_sighting("A", "one", day * 1_000.0), day)
        correlator.record(a_sighting("B", "two", day * 1_000.0), day)
    correlator.teach({"X"}, {"Y"}, together=True)
    again = Correlator.restore(correlator.state(), Topology(CALLS))
    assert correlator.affinity.between("A", "B") == again.affinity.between("A", "B") > 0.8
    assert correlator.state() == again.state()


def test_tau_far_below_nothing_is_a_pure_gap() -> None:
    correlator = Correlator(setting=Setting(gap_s=100, tau=-1e9))
    correlator.record(a_sighting("X", "one", 0), 1)
    assert (1,) == correlator.match(a_sighting("Y", "two", 99.9)).groups
    assert () == correlator.match(a_sighting("Y", "two", 100.1)).groups


@pytest.mark.parametrize(("every_s", "expected"), [(40_000.0, 1.0), (400.0, 0.5), (100.0, 0.25)])
def test_a_kind_that_comes_often_reaches_less_far(every_s: float, expected: float) -> None:
    correlator = Correlator(setting=Setting(gap_s=100, rare_s=1_600))
    alerts = int(100 * 86_400 // every_s) if every_s > 1_600 else 3_000
    last = 0.0
    for number in range(alerts):
        last = number * every_s
        correlator.record(a_sighting("X", "one", last), number)
    assert pytest.approx(expected, rel=0.02) == correlator.affinity.rarity("X", 1_600)
    near = correlator.match(a_sighting("X", "one", last + 98 * expected)).groups
    assert ((alerts - 1,), ()) == (
        near,
        correlator.match(a_sighting("X", "one", last + 103 * expected)).groups,
    )


def test_nothing_is_common_on_the_first_day() -> None:
    correlator = Correlator()
    for second in range(20):
        correlator.record(a_sighting("X", "one", second * 60.0), 1)
    assert 1.0 == correlator.affinity.rarity("X", 3_600)


def test_one_rule_says_the_same_of_two_services_and_that_joins_nothing() -> None:
    correlator = Correlator()
    correlator.record(a_sighting("ProbeFailed: bot does not answer its health check", "bot", 0), 1)
    api = a_sighting("ProbeFailed: api does not answer its health check", "api", 5)
    assert () == correlator.match(api).groups
    other = a_sighting("HealthCheckLost: bot does not answer its health check", "edge", 5)
    assert (1,) == correlator.match(other).groups
