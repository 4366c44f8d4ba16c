"""When a segment is kept, whom it is pushed to, when a destination is down, what fits."""

from collections.abc import Mapping

from hypothesis import assume, given
from hypothesis import strategies as st

from abops.backup.model import WalRules
from abops.backup.wal.policy import (
    FAILURES_UNTIL_DOWN,
    PROBE_EVERY_S,
    Breaker,
    Room,
    Standing,
    is_kept,
    may_drop,
    no_room,
    push_at_once,
)

NAMES = ("eu", "us", "azure")
some = st.sets(st.sampled_from(NAMES))
rules = st.one_of(
    st.integers(1, 4).map(lambda n: WalRules(any=n)),
    some.filter(bool).map(lambda who: WalRules(any=None, require=tuple(sorted(who)))),
    st.just(WalRules(any=None, all=True)),
)
standings = st.fixed_dictionaries(
    {name: st.builds(Standing, is_down=st.booleans(), is_behind=st.booleans()) for name in NAMES}
)


def test_each_policy_says_when_it_is_met() -> None:
    assert [False, True, True] == [
        is_kept(WalRules(any=1), NAMES, done) for done in ((), ("us",), NAMES)
    ]
    two = WalRules(any=2)
    assert [False, True] == [is_kept(two, NAMES, done) for done in (("us",), ("us", "eu"))]
    eu = WalRules(any=None, require=("eu",))
    assert [False, True] == [is_kept(eu, NAMES, done) for done in (("us", "azure"), ("eu",))]
    everyone = WalRules(any=None, all=True)
    assert [False, True] == [is_kept(everyone, NAMES, done) for done in (("us", "eu"), NAMES)]


def test_asking_for_more_than_there_are_means_all() -> None:
    assert not is_kept(WalRules(any=5), NAMES, ("eu", "us"))
    assert is_kept(WalRules(any=5), NAMES, NAMES)


def test_strangers_do_not_count() -> None:
    assert not is_kept(WalRules(any=1), NAMES, ("mars",))


@given(rules, some, some)
def test_one_more_destination_never_takes_the_promise_back(
    rule: WalRules, done: set[str], more: set[str]
) -> None:
    assert not is_kept(rule, NAMES, done) or is_kept(rule, NAMES, done | more)
    assert is_kept(rule, NAMES, NAMES)
    assert not is_kept(rule, NAMES, ())


@given(rules, standings)
def test_those_pushed_to_can_always_keep_the_promise(
    rule: WalRules, stand: Mapping[str, Standing]
) -> None:
    chosen = push_at_once(rule, stand)
    assert is_kept(rule, stand, chosen)
    well = {name for name, one in stand.items() if not one.is_down and not one.is_behind}
    assert well <= chosen


@given(rules, standings)
def test_the_dead_are_waited_for_only_when_nothing_else_helps(
    rule: WalRules, stand: Mapping[str, Standing]
) -> None:
    up = {name for name, one in stand.items() if not one.is_down}
    assume(is_kept(rule, stand, up))
    assert push_at_once(rule, stand) <= up


def test_one_that_is_behind_gets_the_next_by_the_queue() -> None:
    stand = {"eu": Standing(), "us": Standing(is_behind=True)}
    assert {"eu"} == push_at_once(WalRules(any=1), stand)
    assert {"eu", "us"} == push_at_once(WalRules(any=2), stand)


def test_three_failures_in_a_row_open_the_breaker_until_the_probe() -> None:
    breaker = Breaker()
    for turn in range(FAILURES_UNTIL_DOWN):
        assert not breaker.is_down
        assert 0 == breaker.wait_s(100)
        breaker = breaker.failed(100 + turn)
    assert breaker.is_down
    assert PROBE_EVERY_S == breaker.wait_s(102)
    assert 0 == breaker.wait_s(102 + PROBE_EVERY_S)
    assert not breaker.answered().is_down


@given(st.lists(st.booleans(), max_size=30))
def test_it_is_down_exactly_after_failures_in_a_row(answers: list[bool]) -> None:
    breaker = Breaker()
    for now, good in enumerate(answers):
        breaker = breaker.answered() if good else breaker.failed(now)
    last = answers[-FAILURES_UNTIL_DOWN:]
    assert breaker.is_down == (len(last) == FAILURES_UNTIL_DOWN and not any(last))


@given(st.integers(0, 1000), st.integers(0, 1000), st.integers(0, 1000), st.integers(1, 1000))
def test_the_queue_leaves_a_tenth_of_the_volume_and_ends_at_its_limit(
    owed: int, free: int, limit: int, size: int
) -> None:
    refused = no_room(WalRules(queue_max=limit), Room(owed, free, 1000), size)
    assert bool(refused) == (owed + size > limit or free - size < 100)


def test_only_the_dead_lose_segments_and_only_when_we_were_told_to() -> None:
    drop, refuse = WalRules(when_full="drop"), WalRules(when_full="refuse")
    dead, slow = Standing(is_down=True, is_behind=True), Standing(is_behind=True)
    assert [True, False, False] == [
        may_drop(drop, dead),
        may_drop(drop, slow),
        may_drop(refuse, dead),
    ]
