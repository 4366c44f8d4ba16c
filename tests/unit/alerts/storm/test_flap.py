"""When an alert flaps, when it has settled, and what is told of it."""

from hypothesis import given
from hypothesis import strategies as st

from abops.alerts.storm.flap import (
    OFF,
    ON,
    SAMPLE_S,
    STATES,
    Flap,
    FlapStep,
    observed,
    settled,
    share,
)


def steps(states: str, *, every_s: float = 60, flap: Flap | None = None) -> list[FlapStep]:
    """Give states one after the other."""
    found: list[FlapStep] = []
    flap = flap or Flap()
    at = flap.at or 1_000.0
    for state in states:
        at += every_s
        found.append(observed(flap, firing=state == "1", at=at))
        flap = found[-1].flap
    return found


def test_an_alert_that_always_changes_has_a_share_of_one() -> None:
    assert 1.0 == round(share("10" * 10 + "1"), 9)


def test_an_alert_that_never_changes_has_a_share_of_nought() -> None:
    assert share("1" * STATES) == 0.0


def test_newer_changes_weigh_more() -> None:
    assert share("0" * 20 + "1") > share("0" + "1" * 20)
    assert (0.06, 0.04) == (round(share("0" * 20 + "1"), 9), round(share("0" + "1" * 20), 9))


def test_flapping_starts_at_half() -> None:
    changes = [step.change for step in steps("10" * 8)]
    assert 1 == changes.count("started")
    first = changes.index("started")
    before, at = steps("10" * 8)[first - 1 : first + 1]
    assert before.share < ON <= at.share


def test_what_changes_before_is_told_and_after_is_counted() -> None:
    found = steps("10" * 15)
    first = [step.change for step in found].index("started")
    assert all(step.tell for step in found[:first])
    assert not any(step.tell for step in found[first:])
    assert len(found) - first - 1 == found[-1].flap.counted


def test_one_message_says_that_it_stopped_and_how_many_were_counted() -> None:
    found = steps("10" * 15)
    counted = found[-1].flap.counted
    calm = steps("0" * 21, flap=found[-1].flap)
    told = [step for step in calm if step.change]
    assert ["stopped"] == [step.change for step in told]
    assert f"{counted} changes were counted, not told" in told[0].reason
    assert told[0].share < OFF
    assert not told[0].tell
    assert Flap(calm[-1].flap.states, calm[-1].flap.at) == calm[-1].flap


def test_silence_settles_an_alert_too() -> None:
    flap = steps("10" * 15)[-1].flap
    assert settled(flap, flap.at + SAMPLE_S).change is None
    assert settled(flap, flap.at + 40 * 60).change == "stopped"


def test_silence_in_steps_equals_silence_at_once() -> None:
    flap = steps("10" * 15)[-1].flap
    end = flap.at + 12 * SAMPLE_S
    stepped = flap
    for n in range(1, 17):
        stepped = settled(stepped, flap.at + n * SAMPLE_S * 0.75).flap
    assert settled(flap, end).flap == stepped


def test_an_alert_that_changes_every_five_minutes_does_not_flap() -> None:
    assert not any(step.flap.flapping for step in steps("10" * 30, every_s=300))


def test_an_alert_that_changes_every_two_minutes_flaps() -> None:
    assert steps("10" * 30, every_s=110)[-1].flap.flapping


@given(st.text("01", max_size=120), st.floats(1, 400))
def test_starts_and_stops_alternate_and_every_change_is_told_or_counted(
    states: str, every_s: float
) -> None:
    found = steps(states, every_s=every_s)
    changes = [step.change for step in found if step.change]
    assert [("started", "stopped")[n % 2] for n in range(len(changes))] == changes
    assert all(step.tell or step.change or step.flap.flapping for step in found)
