"""Which past incidents look like this one, with values worked out by hand."""

from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abops.alerts.rootcause.similar import PastIncident, similar_incidents

DOWN, STORM, PROBE = ("postgres", "PostgresDown"), ("api", "ApiErrorStorm"), ("api", "ProbeFailed")
REDIS = ("redis", "RedisDown")
PAST = (
    PastIncident(1, frozenset({DOWN, STORM})),
    PastIncident(2, frozenset({STORM, PROBE})),
    PastIncident(3, frozenset({REDIS, STORM})),
)

kinds = st.frozensets(
    st.tuples(st.sampled_from("abc"), st.sampled_from(("Down", "Slow", "Full"))), max_size=5
)
pasts = st.lists(kinds, max_size=8).map(
    lambda drawn: tuple(PastIncident(n, seen) for n, seen in enumerate(drawn))
)


def test_likeness_is_the_weight_of_what_is_shared_in_that_of_all() -> None:
    found = similar_incidents({DOWN, PROBE}, PAST)
    # as a kind on a part and as a kind alone: DOWN, PROBE in one of three, STORM in all
    one, all_three = 2 * log(5 / 2), 2 * log(5 / 4)
    shared = pytest.approx(one / (2 * one + all_three), abs=1e-4)
    assert [(2, shared), (1, shared)] == [(s.number, s.likeness) for s in found]


def test_the_same_kind_on_another_part_counts_half() -> None:
    past = (PastIncident(7, frozenset({("pod-1", "CrashLooping")})),)
    (found,) = similar_incidents({("pod-2", "CrashLooping")}, past)
    # of three tokens (pod-1, pod-2, the kind alone): 1.5 : 1.5 : 3
    shared = log(3 / 2)
    assert pytest.approx(shared / (2 * shared + log(3)), abs=1e-4) == found.likeness
    assert ("CrashLooping too, on another part",) == found.terms


def test_the_reasons_say_what_is_shared_and_what_is_not() -> None:
    past = (*PAST, PastIncident(4, frozenset({DOWN, STORM, REDIS})))
    first, second, third = similar_incidents({DOWN, STORM, PROBE}, past)
    assert [2, 1, 4] == [first.number, second.number, third.number]
    assert (
        "both had PostgresDown on postgres (seen in 2 of 4 past incidents) and 1 more",
        "then also RedisDown",
        "now also ProbeFailed",
    ) == third.terms


def test_the_same_alerts_are_named_so_and_come_first() -> None:
    first, *_ = similar_incidents({DOWN, STORM}, PAST)
    assert (1, 1.0) == (first.number, first.likeness)
    assert "the same 2 alerts" == first.terms[0]


def test_incidents_that_share_nothing_or_little_are_not_shown() -> None:
    assert () == similar_incidents({("bot", "BotConflict")}, PAST)
    assert () == similar_incidents(set(), PAST)
    assert () == similar_incidents({DOWN}, ())


def test_five_are_shown_the_newest_first_among_equals() -> None:
    past = tuple(PastIncident(n, frozenset({DOWN})) for n in range(9))
    assert [8, 7, 6, 5, 4] == [found.number for found in similar_incidents({DOWN}, past)]


@given(kinds, pasts)
def test_likeness_is_between_nothing_and_one(
    now: frozenset[tuple[str, str]], past: tuple[PastIncident, ...]
) -> None:
    found = similar_incidents(now, past, most=99)
    assert all(0.2 <= one.likeness <= 1 for one in found)
    same = {incident.number for incident in past if now and incident.seen == now}
    assert same <= {one.number for one in found if one.likeness == 1}
