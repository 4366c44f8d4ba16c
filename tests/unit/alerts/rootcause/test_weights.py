"""How much an alert and a change tell, with values worked out by hand."""

from math import exp, log

import pytest

from abops.alerts.rootcause.model import AlertSeen, ChangeSeen, History
from abops.alerts.rootcause.weights import own_evidence, rarity, recent_changes

TEN = History(10, {("db", "Down"): 2, ("db", "Slow"): 10})
NEVER = log(12) ** 2


@pytest.mark.parametrize(
    ("entity", "kind", "expected"),
    [
        ("db", "Down", log(12 / 3) ** 2),
        ("db", "Slow", log(12 / 11) ** 2),
        ("db", "Full", NEVER),
        ("api", "Down", NEVER),
    ],
)
def test_rarity_is_by_part_and_kind(entity: str, kind: str, expected: float) -> None:
    assert pytest.approx(expected) == rarity(TEN, entity, kind)


def test_a_pod_is_as_rare_as_its_service() -> None:
    pod = AlertSeen("db-7f-x1", "Down", family="db")
    assert pytest.approx(log(4) ** 2) == own_evidence([pod], TEN)["db-7f-x1"].weight
    assert {("db", "Down"): 3, ("db", "Slow"): 10} == TEN.with_incident([pod]).seen


def test_a_repeated_alert_counts_once() -> None:
    own = own_evidence([AlertSeen("db", "Down")] * 5, TEN)["db"]
    assert pytest.approx(log(4) ** 2) == own.weight


def test_a_kind_on_five_parts_gives_each_a_fifth() -> None:
    own = own_evidence([AlertSeen(f"pod-{n}", "Restarted") for n in range(5)], TEN)
    assert pytest.approx(NEVER / 5) == own["pod-3"].weight


def test_a_trace_counts_less_than_an_alert_of_the_same_kind() -> None:
    trace = AlertSeen("db", "SELECT slow", trace=True)
    assert pytest.approx(0.35 * NEVER) == own_evidence([trace], TEN)["db"].weight
    both = [trace, AlertSeen("db", "SELECT slow")]
    assert pytest.approx(NEVER) == own_evidence(both, TEN)["db"].weight


def test_who_is_first_gains_half_and_who_follows_a_minute_later_less() -> None:
    own = own_evidence([AlertSeen("db", "Down", 0.0), AlertSeen("api", "Failing", 60.0)], TEN)
    assert pytest.approx(log(4) ** 2 * 1.5) == own["db"].weight
    assert pytest.approx(NEVER * (1 + 0.5 * exp(-1))) == own["api"].weight


def test_an_alert_without_a_time_gains_nothing() -> None:
    own = own_evidence([AlertSeen("db", "Down"), AlertSeen("api", "Failing", 60.0)], TEN)
    assert pytest.approx(log(4) ** 2) == own["db"].weight


def test_the_most_telling_kind_comes_first() -> None:
    own = own_evidence([AlertSeen("db", "Slow"), AlertSeen("db", "Down")], TEN)["db"]
    assert ("Down", "Slow") == own.kinds


@pytest.mark.parametrize(
    ("before_s", "fresh"), [(0, 1.0), (900, 0.75), (1800, 0.5), (-60, 1.0)], ids=str
)
def test_a_change_counts_half_at_the_end_of_half_an_hour(before_s: float, fresh: float) -> None:
    found = recent_changes([ChangeSeen("api", 5000 - before_s)], TEN, 5000)["api"]
    # no change was counted before: one in ten incidents has one by chance
    assert pytest.approx((fresh, fresh * log(12 / 2) ** 2)) == (found.fresh, found.weight)


@pytest.mark.parametrize("before_s", [1801, -61])
def test_a_change_long_before_or_after_does_not_count(before_s: float) -> None:
    assert {} == recent_changes([ChangeSeen("api", 5000 - before_s)], TEN, 5000)


def test_a_part_that_is_deployed_before_most_incidents_tells_less_by_it() -> None:
    often = History(10, {("api", "change:deploy"): 8})
    found = recent_changes([ChangeSeen("api", 5000)], often, 5000)["api"]
    assert pytest.approx(log(12 / 9) ** 2) == found.weight


def test_of_two_changes_the_later_one_counts() -> None:
    changes = [ChangeSeen("api", 4900, "second"), ChangeSeen("api", 4000, "first")]
    assert "second" == recent_changes(changes, TEN, 5000)["api"].change.title


def test_without_times_no_change_counts() -> None:
    assert {} == recent_changes([ChangeSeen("api", 5000)], TEN, None)


def test_the_history_counts_each_kind_once_an_incident_and_survives_a_restart() -> None:
    history = History().with_incident(
        [AlertSeen("db", "Down"), AlertSeen("db", "Down")], [ChangeSeen("api", 1.0)]
    )
    assert History(1, {("db", "Down"): 1, ("api", "change:deploy"): 1}) == history
    state = history.state()
    assert {"incidents": 1, "seen": [["api", "change:deploy", 1], ["db", "Down", 1]]} == state
    assert history == History.restore(**state)
