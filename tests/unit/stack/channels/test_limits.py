from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abops.stack.channels.limits import SlidingWindow, TokenBucket, admit


class HandClock:
    """A clock that only the test moves."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def test_a_bucket_takes_a_burst_and_then_names_the_wait(clock: HandClock) -> None:
    bucket = TokenBucket("1/s", rate_per_s=1, burst=3, clock=clock)
    assert [None] * 3 == [admit([(bucket, "C1")]) for _ in range(3)]
    assert ("1/s", pytest.approx(1.0)) == admit([(bucket, "C1")])
    clock.seconds += 0.75
    assert ("1/s", pytest.approx(0.25)) == admit([(bucket, "C1")])
    clock.seconds += 0.25
    assert admit([(bucket, "C1")]) is None


def test_a_bucket_fills_no_higher_than_its_burst(clock: HandClock) -> None:
    bucket = TokenBucket("1/s", rate_per_s=1, burst=2, clock=clock)
    clock.seconds += 3_600
    assert [True, True, False] == [admit([(bucket, "C1")]) is None for _ in range(3)]


def test_keys_have_allowances_of_their_own(clock: HandClock) -> None:
    bucket = TokenBucket("1/s", rate_per_s=1, burst=1, clock=clock)
    window = SlidingWindow("1/min", count=1, window_s=60, clock=clock)
    for key in ("a", "b"):
        assert admit([(bucket, key), (window, key)]) is None
    assert admit([(bucket, "a"), (window, "a")]) is not None


def test_a_window_counts_any_span_not_the_calendar_minute(clock: HandClock) -> None:
    window = SlidingWindow("2/min", count=2, window_s=60, clock=clock)
    admit([(window, "k")])
    clock.seconds += 50
    admit([(window, "k")])
    assert ("2/min", pytest.approx(10.0)) == admit([(window, "k")])
    clock.seconds += 10
    assert admit([(window, "k")]) is None
    assert ("2/min", pytest.approx(50.0)) == admit([(window, "k")])


def test_a_request_refused_by_one_limit_spends_nothing_of_the_others(clock: HandClock) -> None:
    chat = TokenBucket("chat", rate_per_s=1, burst=1, clock=clock)
    group = SlidingWindow("group", count=2, window_s=60, clock=clock)
    assert admit([(chat, "-1"), (group, "-1")]) is None
    for _ in range(5):
        refused = admit([(chat, "-1"), (group, "-1")])
        assert ("chat", pytest.approx(1.0)) == refused
    clock.seconds += 1
    assert admit([(chat, "-1"), (group, "-1")]) is None
    clock.seconds += 1
    assert ("group", pytest.approx(58.0)) == admit([(chat, "-1"), (group, "-1")])


@given(
    gaps=st.lists(st.floats(0, 5), min_size=1, max_size=60),
    count=st.integers(1, 5),
    window_s=st.floats(0.5, 20),
)
def test_no_span_of_a_window_ever_holds_more_than_its_count(
    gaps: list[float], count: int, window_s: float
) -> None:
    clock = HandClock()
    window = SlidingWindow("law", count=count, window_s=window_s, clock=clock)
    served: list[float] = []
    for gap in gaps:
        clock.seconds += gap
        if admit([(window, "k")]) is None:
            served.append(clock.seconds)
    for start, end in zip(served, served[count:], strict=False):
        assert end - start >= window_s - 1e-6


@given(gaps=st.lists(st.floats(0, 3), max_size=60), burst=st.integers(1, 5))
def test_a_sender_that_waits_as_told_is_always_served(gaps: list[float], burst: int) -> None:
    clock = HandClock()
    bucket = TokenBucket("law", rate_per_s=1, burst=burst, clock=clock)
    for gap in gaps:
        clock.seconds += gap
        if refused := admit([(bucket, "k")]):
            clock.seconds += refused[1]
            assert admit([(bucket, "k")]) is None
