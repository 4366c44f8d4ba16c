"""What is learned of kinds that come together, and what a restart keeps of it."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abops.alerts.correlate.affinity import HALF_LIFE_S, NEVER, Affinity

KINDS = st.sampled_from(["a", "b", "c", "d"])
STREAMS = st.lists(st.tuples(KINDS, st.floats(0, 5)), max_size=60)


def in_order(stream: list[tuple[str, float]], begin: float = 0.0) -> list[tuple[str, float]]:
    at = begin
    placed = []
    for kind, pause in stream:
        at += pause
        placed.append((kind, at))
    return placed


@given(STREAMS)
def test_it_lies_between_never_and_always_whichever_is_asked_first(
    stream: list[tuple[str, float]],
) -> None:
    affinity = Affinity.learned_from(in_order(stream))
    for a in "abcd":
        for b in "abcd":
            found = affinity.between(a, b)
            assert NEVER <= found <= 1.0
            assert found == affinity.between(b, a)


@given(STREAMS, STREAMS)
def test_a_restart_between_two_windows_changes_nothing(
    before: list[tuple[str, float]], after: list[tuple[str, float]]
) -> None:
    first = in_order(before, 1.0)
    second = in_order(after, 10_000.0)
    whole, halted = Affinity.learned_from(first), Affinity.learned_from(first)
    again = Affinity.restore(halted.state())
    for kind, at in [*second, ("end", 20_000.0)]:
        whole.observe(kind, at)
        again.observe(kind, at)
    assert whole.state() == again.state()


def test_unseen_kinds_never_come_together() -> None:
    assert NEVER == Affinity().between("a", "b")


def test_few_sightings_say_less_than_many() -> None:
    values = [
        Affinity.learned_from(
            (kind, day * 100.0 + pause)
            for day in range(times)
            for kind, pause in (("a", 0.0), ("b", 0.0), ("c", 50.0))
        ).between("a", "b")
        for times in (1, 5, 50)
    ]
    assert all(fewer < more for fewer, more in pairwise(values)), values


@pytest.mark.parametrize("begin", [0.0, 1.0, 1_700_000_000.0])
def test_what_was_learned_halves_whenever_the_stream_began(begin: float) -> None:
    affinity = Affinity.learned_from([("a", begin), ("a", begin + 2 * HALF_LIFE_S)])
    once = 4.0  # two half-lives later; a window is counted when the next alert ends it
    assert 2 * 2 * once == pytest.approx(affinity.state()["windows"])
