from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abops.backup.model import Keeping, SetFacts
from abops.backup.retain import (
    Plan,
    Promise,
    Removal,
    by_age,
    chains_of,
    endangered,
    full_of,
    log_needed,
    plan,
    promise,
    removal,
)
from support.sets import a_chain, a_set, label_of

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def a_full(days_ago: float) -> SetFacts:
    return a_set(label_of(NOW - timedelta(days=days_ago)))


def an_incr(full: SetFacts, days_ago: float) -> SetFacts:
    return a_set(label_of(NOW - timedelta(days=days_ago), full.label))


def decided(*sets: SetFacts, verified: bool = True, **policy: int) -> Plan:
    labels = {one.label for one in sets} if verified else set()
    return plan(sets, labels, {}, Keeping(**policy), NOW)


def why(plan: Plan, one: SetFacts) -> str:
    return next(fate.reason for fate in plan.fates if fate.label == one.label)


def test_at_29_days_nothing_goes_at_31_the_older_of_two_full_sets() -> None:
    assert () == decided(a_full(29), a_full(29 - 1 / 24)).expired
    older, newer = a_full(31), a_full(31 - 1 / 24)
    assert (older.label,) == decided(older, newer).expired


def test_the_set_from_which_the_oldest_promised_point_is_reached_stays() -> None:
    oldest, covering, inside = a_full(45), a_full(38), a_full(24)
    found = decided(oldest, covering, inside)
    assert (oldest.label,) == found.expired
    assert "all points of the last 30 days are reached from it" == why(found, covering)
    assert "the newest verified full set" == why(found, inside)
    assert f"{covering.label} of 2026-10-18 covers the 30 days, and is verified" == why(
        found, oldest
    )
    assert covering.started == found.oldest_needed


def test_a_chain_goes_as_a_whole() -> None:
    old, new = a_full(60), a_full(40)
    increments = [an_incr(old, 59), an_incr(old, 41)]
    found = decided(old, *increments, new)
    assert (old.label, *(one.label for one in increments)) == found.expired


def test_the_only_set_stays_however_old_it_is() -> None:
    assert () == decided(a_full(400)).expired


def test_nothing_goes_before_a_full_set_is_verified() -> None:
    found = decided(a_full(90), a_full(60), a_full(31), verified=False)
    assert () == found.expired
    assert {"no full set here is verified: nothing goes before one is"} == {
        fate.reason for fate in found.fates
    }


def test_a_set_that_is_not_verified_covers_nothing() -> None:
    verified, broken = a_full(60), a_full(40)
    found = plan([verified, broken], {verified.label}, {}, Keeping(), NOW)
    assert () == found.expired


def test_an_old_set_is_not_given_up_for_a_verified_one_that_is_too_young() -> None:
    unverified, young = a_full(40), a_full(5)
    found = plan([unverified, young], {young.label}, {}, Keeping(), NOW)
    assert () == found.expired


def test_a_set_that_somebody_restores_from_stays_with_its_chain() -> None:
    old, new = a_full(60), a_full(40)
    increment = an_incr(old, 59)
    sets = [old, increment, new]
    found = plan(sets, {one.label for one in sets}, {increment.label: "restore 7"}, Keeping(), NOW)
    assert () == found.expired
    assert "held: restore 7" == why(found, old)


def test_a_named_set_stays() -> None:
    old, new = a_set(a_full(60).label, keep="before 2.0"), a_full(40)
    assert () == decided(old, new).expired
    assert "kept as 'before 2.0'" == why(decided(old, new), old)


def test_the_first_set_of_each_month_and_year_stays_when_asked() -> None:
    sets = [a_full(days) for days in range(1, 420, 7)]
    found = decided(*sets, monthly=3, yearly=2)
    old = [one.label[:8] for one in sets if one.label in found.kept and one.label < "20261018"]
    # of 2025 the oldest that there is, of 2026 January's first; November's is young anyway
    assert ["20251007", "20260106", "20260901", "20261006"] == sorted(old)


def test_an_increment_without_its_full_set_is_not_touched() -> None:
    lost = a_full(60)
    orphan, new = an_incr(lost, 59), a_full(40)
    found = decided(orphan, new)
    assert () == found.expired
    assert "its full set is missing: look at it before it goes" == why(found, orphan)


def test_an_empty_catalog_is_an_empty_plan() -> None:
    assert Plan((), None) == decided()


@st.composite
def repositories(draw: st.DrawFn) -> tuple[list[SetFacts], set[str], dict[str, str]]:
    sets: list[SetFacts] = []
    for days_ago in draw(st.lists(st.integers(0, 500), max_size=8, unique=True)):
        length = draw(st.integers(1, 4))
        sets += a_chain(length, start=label_of(NOW - timedelta(days=days_ago, hours=1)))
    labels = [one.label for one in sets]
    some = st.sets(st.sampled_from(labels)) if labels else st.just(set())
    verified, held = draw(some), draw(some)
    return draw(st.permutations(sets)), verified, dict.fromkeys(held, "restore")


policies = st.builds(
    Keeping, days=st.integers(1, 120), monthly=st.integers(0, 6), yearly=st.integers(0, 3)
)


@given(repositories(), policies)
def test_laws_of_one_plan(
    repository: tuple[list[SetFacts], set[str], dict[str, str]], policy: Keeping
) -> None:
    sets, verified, held = repository
    found = plan(sets, verified, held, policy, NOW)
    kept, expired = set(found.kept), set(found.expired)
    assert {one.label for one in sets} == kept | expired
    assert not kept & expired
    assert not expired & set(held)
    assert all(fate.reason for fate in found.fates)
    # what stays can be restored: nothing that it stands on goes
    assert {full_of(label) for label in kept} <= kept
    assert all(one.prior in kept for one in sets if one.label in kept and one.prior)
    # the newest verified chain stays
    whole = [chain for chain in chains_of(sets) if chain.full.label in verified]
    if whole:
        assert {one.label for one in whole[-1].members} <= kept
    else:
        assert not expired
    # every promised point that was reached from a verified set still is
    horizon = (NOW - timedelta(days=policy.days)).timestamp()
    for point in (horizon, horizon + 86_400 * policy.days / 2, NOW.timestamp()):
        before = [c for c in whole if c.full.stopped <= point]
        assert not before or any(c.full.label in kept for c in before)
    # and so is every point that was reached from any set, verified or not
    reaching = {c.full.label for c in chains_of(sets) if c.full.stopped <= horizon}
    assert not reaching or kept & reaching


@given(repositories(), policies, st.randoms())
def test_order_does_not_matter_and_twice_is_once(
    repository: tuple[list[SetFacts], set[str], dict[str, str]],
    policy: Keeping,
    chance: Random,
) -> None:
    sets, verified, held = repository
    found = plan(sets, verified, held, policy, NOW)
    shuffled = list(sets)
    chance.shuffle(shuffled)
    assert found == plan(shuffled, verified, held, policy, NOW)
    left = [one for one in sets if one.label in found.kept]
    assert () == plan(left, verified, held, policy, NOW).expired


@given(repositories(), policies, st.integers(1, 60))
def test_a_longer_retention_and_a_later_hold_remove_nothing_more(
    repository: tuple[list[SetFacts], set[str], dict[str, str]], policy: Keeping, more: int
) -> None:
    sets, verified, held = repository
    found = set(plan(sets, verified, held, policy, NOW).expired)
    longer = Keeping(days=policy.days + more, monthly=policy.monthly, yearly=policy.yearly)
    assert set(plan(sets, verified, held, longer, NOW).expired) <= found
    everything = {one.label: "lock" for one in sets}
    assert () == plan(sets, verified, everything, policy, NOW).expired


def removed(sets: list[SetFacts], held: dict[str, str], policy: Keeping) -> Removal:
    found = plan(sets, {one.label for one in sets}, held, policy, NOW)
    return removal(sets, found, held, policy, NOW)


def test_by_age_alone_the_engine_decides_alike() -> None:
    assert Removal("age") == removed([a_full(45), a_full(38), a_full(24)], {}, Keeping())
    assert Removal("age") == removed([a_full(38), a_full(24)], {}, Keeping())
    assert Removal("nothing") == removed([], {}, Keeping())


def test_what_a_rule_keeps_makes_the_engine_be_told_set_by_set_with_the_promised_log() -> None:
    named = a_set(a_full(200).label, keep="before 2.0")
    old, covering, young = a_full(45), a_full(38), a_full(24)
    sets = [named, old, covering, young]
    assert Removal("set", (old.label,), 2) == removed(sets, {}, Keeping())
    found = plan(sets, {one.label for one in sets}, {}, Keeping(), NOW)
    needed = log_needed(sets, found, removal(sets, found, {}, Keeping(), NOW))
    assert (named.wal_start, named.wal_stop) in needed
    assert (covering.wal_start, "F" * 24) in needed
    assert not any(first <= old.wal_start <= last for first, last in needed)


def test_who_restores_from_a_set_needs_the_log_after_it_too() -> None:
    held, old, covering, young = a_full(200), a_full(45), a_full(38), a_full(24)
    sets = [held, old, covering, young]
    how = removed(sets, {held.label: "restore"}, Keeping())
    assert Removal("set", (old.label,), 3) == how
    found = plan(sets, {one.label for one in sets}, {held.label: "restore"}, Keeping(), NOW)
    assert (held.wal_start, "F" * 24) in log_needed(sets, found, how)


@pytest.mark.parametrize(
    ("going", "expected"),
    [
        ([("A1", "A4")], None),
        ([("A1", "A4"), ("A7", "B2")], None),
        ([("A1", "A5")], ("A1", "A5")),
        ([("A1", "A2"), ("A6", "B2")], ("A6", "B2")),
        ([("A7", "B3")], ("A7", "B3")),
        ([("C0", "C1")], ("C0", "C1")),
    ],
)
def test_log_that_something_kept_needs_may_not_go(
    going: list[tuple[str, str]], expected: tuple[str, str] | None
) -> None:
    assert expected == endangered(going, [("A5", "A6"), ("B3", "FF")])


@given(repositories(), policies)
def test_our_rules_only_ever_keep_more_than_age_does(
    repository: tuple[list[SetFacts], set[str], dict[str, str]], policy: Keeping
) -> None:
    sets, verified, held = repository
    found = plan(sets, verified, held, policy, NOW)
    assert set(found.expired) <= set(by_age(sets, policy, NOW).expired)
    how = removal(sets, found, held, policy, NOW)
    if how.by == "nothing":
        assert not found.expired
        return
    # what stays can be made consistent, and what is promised can be reached
    needed = log_needed(sets, found, how)
    for one in sets:
        whole = one.label in found.kept and full_of(one.label) in {s.label for s in sets}
        assert not whole or any(first <= one.wal_start <= last for first, last in needed)
    (since,) = (first for first, last in needed if last == "F" * 24)
    begun = [one.started for one in sets if one.wal_start == since]
    assert found.oldest_needed is not None
    assert min(begun) <= found.oldest_needed


def test_the_promise_counts_what_is_gone_and_what_is_overdue() -> None:
    covering, young, lost = a_full(38), a_full(24), a_full(31 - 5)
    labels = {covering.label, young.label}
    found = promise([covering, young], [lost], labels, {}, Keeping(), NOW)
    assert Promise(covering.stopped, (lost.label,)) == found
    assert 1 == found.violations
    # three days late, for the newer one was not verified
    older, newer = a_full(60), a_full(33)
    found = promise([older, newer], [], {older.label}, {}, Keeping(), NOW)
    assert Promise(older.stopped, (), (older.label,)) == found
    # it may go since a few hours: nobody had the time yet
    assert 0 == promise([a_full(60), a_full(30.2)], [], labels, {}, Keeping(), NOW).violations
    # what was lost and would be gone by now breaks no promise
    assert 0 == promise([covering], [a_full(70)], labels, {}, Keeping(), NOW).violations


def test_behind_a_hole_in_the_log_only_what_comes_after_it_is_reached() -> None:
    covering, young = a_full(38), a_full(24)
    labels = {covering.label, young.label}
    hole = f"00000001{covering.wal_start[8:16]}{int(covering.wal_start[16:], 16) + 1:08X}"
    found = promise([covering, young], [], labels, {}, Keeping(), NOW, hole)
    assert young.stopped == found.oldest_recoverable
    assert None is promise([covering], [], set(), {}, Keeping(), NOW).oldest_recoverable
