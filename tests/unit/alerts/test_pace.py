from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abops.alerts.model import ChannelType, OutboxItem, Severity
from abops.alerts.service.pace import Pace, gives_up, retry_in_s

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def an_item(severity: Severity) -> OutboxItem:
    return OutboxItem(
        id=1, key="k", incident=1, channel="c", kind="open", severity=severity, page=False,
        state="retry", attempts=1, created_at=NOON, next_at=NOON,
    )  # fmt: skip


def test_waits_double_up_to_a_minute() -> None:
    waits = [retry_in_s(attempt, asked_s=None, jitter=1.0) for attempt in range(1, 9)]
    assert [1, 2, 4, 8, 16, 32, 60, 60] == waits


@given(st.integers(1, 1000), st.floats(0, 1))
def test_jitter_shortens_a_wait_by_at_most_a_quarter(attempts: int, jitter: float) -> None:
    longest = retry_in_s(attempts, asked_s=None, jitter=1.0)
    assert longest * 0.75 <= retry_in_s(attempts, asked_s=None, jitter=jitter) <= longest


@given(st.floats(0, 600), st.floats(0, 1), st.integers(1, 50))
def test_what_the_channel_asks_for_is_never_undercut(
    asked: float, jitter: float, attempts: int
) -> None:
    assert asked <= retry_in_s(attempts, asked_s=asked, jitter=jitter)


@pytest.mark.parametrize(("severity", "minutes"), [("critical", 30), ("warning", 10), ("info", 10)])
def test_patience_depends_on_severity(severity: Severity, minutes: int) -> None:
    item, end = an_item(severity), NOON + timedelta(minutes=minutes)
    assert [False, True] == [gives_up(item, end - timedelta(seconds=1)), gives_up(item, end)]


@pytest.mark.parametrize(
    ("channel", "call", "most", "span_s"),
    [
        ("slack", "post", 1, 1.0),
        ("slack", "edit", 50, 60.0),
        ("pagerduty", "post", 120, 60.0),
        ("telegram", "post", 1, 1.0),
        ("telegram", "post", 20, 60.0),
    ],
)
def test_documented_limits_are_kept_with_a_fifth_to_spare(
    channel: ChannelType, call: str, most: int, span_s: float
) -> None:
    pace, now, calls = Pace(channel), 0.0, []
    while now < 300:
        wait = pace.wait_s((call,), now)
        if wait <= 0:
            pace.spend(call, now)
            calls.append(now)
        now += max(wait, 0.001)
    busiest = max(
        sum(1 for other in calls if 0 <= other - begin < span_s * 0.999) for begin in calls
    )
    assert busiest <= max(most * 0.8, 1)
    assert len(calls) >= 300 / span_s * most * 0.8 * (0.2 if channel == "telegram" else 0.9)


def test_a_channel_that_asks_is_left_alone() -> None:
    pace = Pace("pagerduty")
    pace.pause(30, 100.0)
    assert 20.0 == pace.wait_s(("post",), 110.0)
    assert 0.0 == pace.wait_s(("post",), 130.0)
