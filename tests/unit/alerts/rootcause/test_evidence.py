"""Which part the alerts speak for, with values worked out by hand."""

from math import exp, log, sqrt

import pytest

from abops.alerts.rootcause.evidence import by_alerts
from abops.alerts.rootcause.graph import Graph
from abops.alerts.rootcause.model import (
    AlertSeen,
    ChangeSeen,
    Edge,
    History,
    IncidentEvidence,
    Ranking,
)

ONE = log(2) ** 2
"""Weight of an alert when there were no incidents before."""


def by(
    *alerts: AlertSeen, edges: tuple[Edge, ...] = (), changes: tuple[ChangeSeen, ...] = ()
) -> Ranking:
    evidence = IncidentEvidence("", alerts, edges, changes, History())
    return by_alerts(evidence, Graph.of(edges))


def test_a_service_has_its_own_alerts_and_n_times_the_geometric_mean_of_its_instances() -> None:
    edges = (Edge("p1", "api", "instance_of"), Edge("p2", "api", "instance_of"))
    found = by(AlertSeen("p1", "A"), AlertSeen("p1", "B"), AlertSeen("api", "C"), edges=edges)
    mean = sqrt((2 * ONE + 0.5) * 0.5)
    assert pytest.approx(ONE + 2 * (mean - 0.5)) == found.scores["api"]
    assert pytest.approx(2 * ONE) == found.scores["p1"]


def test_a_machine_counts_double() -> None:
    found = by(AlertSeen("n1", "Disk"), edges=(Edge("p1", "n1", "hosted_on"),))
    assert pytest.approx(2 * ONE) == found.scores["n1"]


def test_a_caller_hands_down_to_an_alerting_callee() -> None:
    found = by(AlertSeen("api", "A"), AlertSeen("db", "B"), edges=(Edge("api", "db"),))
    # the callee has one never-seen alert: 1 - exp(-1 / .5) of the caller's goes down
    kept = ONE * exp(-2)
    assert {"api": pytest.approx(kept), "db": pytest.approx(2 * ONE - kept)} == found.scores


def test_callees_share_what_is_handed_down_by_their_own_alerts() -> None:
    edges = (Edge("api", "db"), Edge("api", "cache"))
    alerts = [AlertSeen("api", "A"), AlertSeen("db", "B"), AlertSeen("db", "C")]
    found = by(*alerts, AlertSeen("cache", "D"), edges=edges)
    gained_db, gained_cache = found.scores["db"] - 2 * ONE, found.scores["cache"] - ONE
    assert pytest.approx(2.0) == gained_db / gained_cache


def test_a_callee_draws_by_its_instances_on_average() -> None:
    edges = (
        Edge("api", "db"),
        Edge("db-0", "db", "instance_of"),
        Edge("db-1", "db", "instance_of"),
    )
    found = by(AlertSeen("api", "A"), AlertSeen("db-0", "B"), edges=edges)
    assert pytest.approx(ONE * exp(-0.5 / 0.5)) == found.scores["api"]


def test_a_silent_callee_takes_nothing() -> None:
    assert {"api": ONE} == by(AlertSeen("api", "A"), edges=(Edge("api", "db"),)).scores


def test_a_silent_service_with_silent_instances_is_no_cause() -> None:
    edges = (Edge("p1", "bot", "instance_of"), Edge("p2", "bot", "instance_of"))
    assert {"api": ONE} == by(AlertSeen("api", "A"), edges=edges).scores


def test_a_changed_part_keeps_what_its_callees_would_take() -> None:
    alerts = (AlertSeen("api", "A", 1000.0), AlertSeen("db", "B", 1000.0))
    edges, change = (Edge("api", "db"),), ChangeSeen("api", 1000.0)
    found = by(*alerts, edges=edges, changes=(change,))
    # both were first (x 1.5); the change weighs one alert more and nothing is handed down
    assert {"api": pytest.approx(2.5 * ONE), "db": pytest.approx(1.5 * ONE)} == found.scores


def test_a_change_of_a_silent_callee_counts_half_and_draws_its_callers() -> None:
    found = by(
        AlertSeen("api", "A", 1000.0),
        edges=(Edge("api", "db"),),
        changes=(ChangeSeen("db", 1000.0, "index"),),
    )
    # weight of the change .5, so 1 - exp(-.5 / .5) of the caller's 1.5 goes down
    down = 1.5 * ONE * (1 - exp(-1))
    assert pytest.approx(0.5 * ONE + down) == found.scores["db"]
    assert ("deployed as it began (index)",) == found.terms["db"][:1]


def test_a_change_of_a_part_that_nobody_in_trouble_calls_does_not_count() -> None:
    found = by(AlertSeen("api", "A", 1000.0), changes=(ChangeSeen("bot", 1000.0),))
    assert {"api"} == set(found.scores)


def test_the_reasons_name_rarity_onset_change_and_echo() -> None:
    alerts = (
        AlertSeen("db", "Down", 1000.0),
        AlertSeen("db", "Slow", 1005.0),
        AlertSeen("api", "Failing", 1014.0),
    )
    edges = (Edge("api", "db"),)
    history = History(50, {("db", "Down"): 1, ("db", "Slow"): 40})
    changes = (ChangeSeen("db", 640.0, "v3", "migration"),)
    found = by_alerts(IncidentEvidence("api", alerts, edges, changes, history), Graph.of(edges))
    assert (
        "migrated 6 min before (v3)",
        "2 alerts: Down, Slow; Down was seen here in 2 % of past incidents",
        "first to fire, 14 s before the symptom",
        "api calls it and may only be its echo",
    ) == found.terms["db"]
    assert ("1 alert: Failing; Failing was never seen here before",) == found.terms["api"]
