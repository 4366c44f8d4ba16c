"""Who is paged when: every edge of the ladder."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from abops.alerts.escalate.ladder import Decision, Ladder, Standing, escalate, merged
from abops.alerts.model import Level, Policy

MIN = 60.0
HOUR = 3_600.0
POLICY = Policy((Level("dev", 0), Level("devops", 15 * MIN), Level("management", 30 * MIN)))
OPEN = Standing()


def climbed(now: float, ladder: Ladder | None = None, standing: Standing = OPEN) -> Decision:
    return escalate(ladder or Ladder(0.0), POLICY, standing, now)


def teams(decision: Decision) -> list[str]:
    return [action.team for action in decision.actions if action.kind == "page"]


def pages_until(end: float, every: float = 30.0) -> list[tuple[float, str]]:
    ladder, now, found = Ladder(0.0), 0.0, []
    while now <= end:
        decision = climbed(now, ladder)
        found += [(now / MIN, action.team or action.kind) for action in decision.actions]
        ladder = decision.ladder
        now += every
    return found


def test_level_1_is_paged_at_once() -> None:
    decision = climbed(0.0)
    assert (["dev"], 15 * MIN) == (teams(decision), decision.next_due)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (15 * MIN - 0.001, []),
        (15 * MIN, ["devops"]),
        (30 * MIN - 0.001, ["devops"]),
        (30 * MIN, ["devops", "management"]),
    ],
)
def test_the_levels_come_at_15_and_30_minutes(at: float, expected: list[str]) -> None:
    assert expected == teams(climbed(at, Ladder(0.0, step=1)))


def test_three_cycles_then_a_reminder_each_hour() -> None:
    found = pages_until(5 * HOUR)
    expected = [
        *(
            (m, t)
            for c in (0, 45, 90)
            for m, t in ((c, "dev"), (c + 15, "devops"), (c + 30, "management"))
        ),
        (180, "remind"),
        (240, "remind"),
        (300, "remind"),
    ]
    assert expected == found


def test_after_an_outage_each_level_is_paged_once() -> None:
    decision = climbed(100 * MIN, Ladder(0.0, step=1))
    assert ["devops", "management", "dev"] == teams(decision)
    assert 105 * MIN == decision.next_due


def test_an_acknowledgement_stops_the_ladder() -> None:
    decision = climbed(15 * MIN, Ladder(0.0, step=1), Standing(acked_at=15 * MIN - 1))
    assert ((), 15 * MIN - 1 + 4 * HOUR) == (decision.actions, decision.next_due)


def test_one_taken_back_goes_on_with_the_next_level_in_5_minutes() -> None:
    acked = climbed(10 * MIN, Ladder(0.0, step=1), Standing(acked_at=10 * MIN))
    freed = climbed(20 * MIN, acked.ladder)
    assert ((), 25 * MIN) == (freed.actions, freed.next_due)
    paged = climbed(25 * MIN, freed.ladder)
    assert (["devops"], 40 * MIN) == (teams(paged), paged.next_due)


@pytest.mark.parametrize(("late", "expires"), [(-0.001, False), (0.0, True)])
def test_an_acknowledgement_counts_for_4_hours(late: float, expires: bool) -> None:  # noqa: FBT001 - a case
    acked = Standing(acked_at=10 * MIN)
    ladder = climbed(10 * MIN, Ladder(0.0, step=1), acked).ladder
    decision = climbed(10 * MIN + 4 * HOUR + late, ladder, acked)
    assert expires == (["expire"] == [action.kind for action in decision.actions])
    if expires:
        assert decision.next_due == 10 * MIN + 4 * HOUR + 5 * MIN


def test_a_page_not_accepted_in_120_s_brings_the_next_level() -> None:
    waiting = Standing(unaccepted_since=1.0)
    early = climbed(120.9, Ladder(0.0, step=1), waiting)
    assert ([], 121.0) == (teams(early), early.next_due)
    late = climbed(121.0, Ladder(0.0, step=1), waiting)
    assert ["devops"] == teams(late)
    assert "not accepted" in late.actions[0].why
    assert late.next_due == 121.0 + 15 * MIN


def test_the_earlier_ladder_stays_when_two_incidents_become_one() -> None:
    early, late = Ladder(0.0, step=2), Ladder(60.0, step=3)
    assert [early, early] == [merged(early, late), merged(late, early)]


@given(
    looks=st.lists(st.floats(0, 6 * HOUR, allow_nan=False), min_size=1, max_size=40),
    acks=st.lists(st.floats(0, 6 * HOUR, allow_nan=False), max_size=4),
)
def test_looking_late_or_often_never_pages_early_nor_while_acknowledged(
    looks: list[float], acks: list[float]
) -> None:
    ladder = Ladder(0.0)
    for now in sorted(looks):
        taken = [at for at in acks if at <= now < at + 10 * MIN]
        standing = Standing(acked_at=min(taken, default=None))
        decision = escalate(ladder, POLICY, standing, now)
        assert not (taken and decision.actions)
        assert all(action.due <= now for action in decision.actions)
        assert decision.next_due > now
        again = escalate(decision.ladder, POLICY, standing, now)
        assert ((), decision.ladder) == (again.actions, again.ladder)
        assert decision.ladder.step >= ladder.step
        ladder = decision.ladder


def test_a_ladder_of_one_level_repeats_each_hour() -> None:
    policy = replace(POLICY, levels=(Level("dev", 0),), repeat=2)
    decision = escalate(Ladder(0.0), policy, OPEN, 0.0)
    assert decision.next_due == HOUR
