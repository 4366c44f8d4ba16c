import pytest

from abops.stack.keeper import PartStatus, State
from abops.stack.lifecycle import all_settled


def a_status(part: str, state: State, *, waits_for: str = "") -> PartStatus:
    return PartStatus(part=part, state=state.value, waits_for=waits_for)


@pytest.mark.parametrize("state", [State.STARTING, State.RESTARTING])
def test_a_part_that_moves_is_waited_for(state: State) -> None:
    assert not all_settled([a_status("postgres", state)])


def test_a_part_waiting_for_one_that_will_come_is_waited_for() -> None:
    parts = [a_status("api", State.WAITING, waits_for="redis"), a_status("redis", State.READY)]

    assert not all_settled(parts)


def test_a_part_whose_dependency_failed_is_not_waited_for() -> None:
    parts = [
        a_status("traffic", State.WAITING, waits_for="api"),
        a_status("api", State.WAITING, waits_for="postgres"),
        a_status("postgres", State.FAILED),
    ]

    assert all_settled(parts)


def test_a_part_about_to_begin_is_waited_for() -> None:
    assert not all_settled([a_status("redis", State.WAITING)])


def test_ready_done_stopped_and_missing_have_settled() -> None:
    states = (State.READY, State.DONE, State.STOPPED, State.MISSING)

    assert all_settled([a_status(state.value, state) for state in states])
