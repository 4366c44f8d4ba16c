"""Which kinds pass by themselves, and that holding never hides anything critical."""

import json

from hypothesis import given
from hypothesis import strategies as st

from abops.alerts.storm.transient import HOLD_S, Transients


def learned(passed: int, stayed: int) -> Transients:
    """Return what is known after so many alerts of a kind."""
    transients = Transients()
    for _ in range(passed):
        transients.learn("restart", HOLD_S)
    for _ in range(stayed):
        transients.learn("restart", HOLD_S + 1)
    return transients


def test_a_kind_never_seen_is_told_at_once() -> None:
    hold = Transients().hold("new", "warning", 100.0)
    assert (None, 0.5) == (hold.until, hold.probability)


def test_nine_of_ten_are_not_yet_sure() -> None:
    assert learned(8, 0).probability("restart") == 0.9
    assert learned(8, 0).hold("restart", "warning", 0.0).until is None


def test_a_kind_that_nearly_always_passes_waits_a_minute_and_a_half() -> None:
    assert learned(9, 0).hold("restart", "warning", 100.0).until == 190.0


def test_one_that_stays_ends_the_holding() -> None:
    assert learned(9, 1).hold("restart", "info", 0.0).until is None


def test_a_critical_alert_is_never_held() -> None:
    hold = learned(1_000, 0).hold("restart", "critical", 0.0)
    assert hold.until is None
    assert "critical is never held" in hold.reason


def test_reasons_name_the_counts() -> None:
    assert "19 of 20" in learned(19, 1).hold("restart", "warning", 0.0).reason


def test_kinds_do_not_touch() -> None:
    assert learned(50, 0).probability("other") == 0.5


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 300))))
def test_a_restart_changes_nothing(ends: list[tuple[str, float]]) -> None:
    straight, restarted = Transients(), Transients()
    for kind, lasted_s in ends:
        straight.learn(kind, lasted_s)
        restarted.learn(kind, lasted_s)
        restarted = Transients.restore(json.loads(json.dumps(restarted.state())))
    assert straight == restarted
    assert len(ends) == sum(c.passed + c.stayed for c in straight.kinds.values())
