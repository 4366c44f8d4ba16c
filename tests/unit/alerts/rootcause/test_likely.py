"""Putting the methods together, and saying what was missing."""

import pytest

from abops.alerts.rootcause.fuse import Fused, fuse, ranks
from abops.alerts.rootcause.likely import likely_causes, ranked_causes
from abops.alerts.rootcause.model import AlertSeen, Cause, Edge, IncidentEvidence, Ranking, Series

SLOW_DB = (
    Series("api", "latency", (1, 1, 1, 2), (9, 9)),
    Series("db", "latency", (1, 1, 1, 2), (9, 9)),
    Series("cache", "latency", (1, 1, 1, 2), (1, 1)),
)
CALLS = (Edge("api", "db"), Edge("api", "cache"))


def test_equal_scores_share_the_best_rank() -> None:
    assert {"a": 1, "b": 2, "c": 2, "d": 4} == ranks(
        Ranking("", {"d": 1.0, "b": 3.0, "c": 3.0, "a": 9.0})
    )


def test_reciprocal_ranks_add_up_and_shares_are_averaged() -> None:
    fused = fuse([Ranking("x", {"a": 3.0, "b": 1.0}), Ranking("y", {"b": 2.0, "c": 2.0})])
    assert (
        Fused("b", pytest.approx(1 / 62 + 1 / 61), pytest.approx((0.25 + 0.5) / 2)),
        Fused("a", pytest.approx(1 / 61), pytest.approx(0.375)),
        Fused("c", pytest.approx(1 / 61), pytest.approx(0.25)),
    ) == fused


def test_a_share_is_never_above_that_of_a_better_place() -> None:
    one = Ranking("x", {"a": 50.0, "b": 49.0, "c": 1.0})
    two = Ranking("y", {"d": 97.0, "b": 2.0, "a": 1.0})
    fused = fuse([one, two])
    assert ["a", "b", "d", "c"] == [f.entity for f in fused]
    # d alone would have .485
    assert pytest.approx([0.255, 0.255, 0.255, 0.005]) == [f.share for f in fused]


def test_a_method_that_found_nothing_does_not_dilute_the_others() -> None:
    ranking = Ranking("x", {"a": 1.0})
    assert 1.0 == fuse([ranking, Ranking("y", {})])[0].share


def test_the_walk_and_the_alerts_agree_on_the_database() -> None:
    alerts = (AlertSeen("api", "Slow", 0.0), AlertSeen("db", "Slow queries", 5.0))
    first, second = likely_causes(IncidentEvidence("api", alerts, CALLS, metrics=SLOW_DB))
    assert ("db", "api") == (first.entity, second.entity)
    assert "its latency excess explains 100 % of the symptom" == first.terms[0]
    assert "1 alert: Slow queries" == first.terms[1]
    assert ("no past incidents: every alert counts as rare",) == first.missing


def test_at_most_three_causes_are_named_and_all_are_ranked() -> None:
    alerts = tuple(AlertSeen(part, f"kind of {part}") for part in "abcde")
    evidence = IncidentEvidence(alerts=alerts)
    assert 3 == len(likely_causes(evidence))
    assert list("abcde") == [cause.entity for cause in ranked_causes(evidence)]


def test_metrics_without_a_graph_are_judged_by_what_stands_out() -> None:
    first, *_ = likely_causes(IncidentEvidence(metrics=SLOW_DB))
    assert (
        "not followed along the calls: decided by which metric stands out most",
        "no alerts: decided by metrics alone",
        "not known who calls whom: an echo cannot be told from a cause",
    ) == first.missing


def test_an_alarm_that_came_late_is_looked_through() -> None:
    calm, loud = (1.0, 2.0, 3.0, 4.0) * 10, (30.0, 31.0, 32.0, 33.0) * 10
    late = (Series("db", "cpu", calm + loud, loud), Series("api", "cpu", calm * 2, (*calm, 7.0)))
    first, *_ = likely_causes(IncidentEvidence(metrics=late))
    assert "db" == first.entity


def test_metrics_the_walk_cannot_use_are_judged_by_what_stands_out() -> None:
    cpu = Series("db", "cpu", (1, 2, 3, 4, 5), (50,))
    first, *_ = likely_causes(IncidentEvidence("api", edges=CALLS, metrics=(cpu,)))
    assert "db" == first.entity


def test_metrics_in_their_normal_range_leave_it_to_the_alerts() -> None:
    quiet = (Series("api", "latency", (1, 2, 3, 4), (2, 3)),)
    (cause,) = likely_causes(
        IncidentEvidence("api", (AlertSeen("api", "Failing"),), CALLS, metrics=quiet)
    )
    assert "no metric left its normal range: decided by alerts alone" == cause.missing[0]


def test_both_metrics_are_walked_when_it_is_not_known_which_is_the_symptom() -> None:
    failing = Series("cache", "availability", (100,) * 4, (50, 50), "down")
    causes = ranked_causes(IncidentEvidence("api", edges=CALLS, metrics=(*SLOW_DB, failing)))
    assert {"db", "cache"} == {c.entity for c in causes if c.score > 0.4}


def test_nothing_known_is_nothing_said() -> None:
    assert () == likely_causes(IncidentEvidence())


def test_a_cause_is_a_value() -> None:
    assert Cause("db", 1.0) == Cause("db", 1.0)
