"""When a window is open, and what a silence silences."""

from datetime import UTC, datetime, timedelta

import pytest

from abops.alerts.route.matcher import parse_matchers
from abops.alerts.route.silence import Quiet, silenced_by
from abops.alerts.route.window import Schedule, ScheduleError, open_until

SATURDAYS = Schedule(days=("sat",), at="02:00", lasts="2h", tz="Europe/Berlin")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc] # day and time


@pytest.mark.parametrize(
    ("at", "open_"),
    [
        (utc(2026, 11, 28, 0, 59, 59), False),
        (utc(2026, 11, 28, 1), True),
        (utc(2026, 11, 28, 2, 59, 59), True),
        (utc(2026, 11, 28, 3), False),
        (utc(2026, 11, 29, 1, 30), False),
    ],
)
def test_a_weekly_window_opens_at_its_local_time(at: datetime, open_: bool) -> None:  # noqa: FBT001 - a case
    assert open_ == (open_until(SATURDAYS, at) is not None)


def test_a_local_time_that_the_clocks_skip_moves_forward() -> None:
    schedule = Schedule(days=("sun",), at="02:30", lasts="1h", tz="Europe/Berlin")
    start = utc(2026, 3, 29, 1, 30)  # 03:30 summer time, as 02:30 does not exist
    assert open_until(schedule, start - timedelta(seconds=1)) is None
    assert start + timedelta(hours=1) == open_until(schedule, start)


def test_a_local_time_that_comes_twice_counts_once() -> None:
    schedule = Schedule(days=("sun",), at="02:30", lasts="30m", tz="Europe/Berlin")
    assert open_until(schedule, utc(2026, 10, 25, 0, 45)) is not None
    assert open_until(schedule, utc(2026, 10, 25, 1, 45)) is None


def test_a_window_may_last_over_midnight() -> None:
    schedule = Schedule(days=("sat",), at="23:00", lasts="3h")
    assert utc(2026, 11, 29, 2) == open_until(schedule, utc(2026, 11, 29, 1))


@pytest.mark.parametrize(
    "wrong",
    [
        {"days": ("someday",)},
        {"days": ()},
        {"at": "25:00"},
        {"lasts": "8d"},
        {"lasts": "0s"},
        {"lasts": "x"},
        {"tz": "Moon/Base"},
    ],
)
def test_a_schedule_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    values = {"days": ("sat",), "at": "02:00", "lasts": "2h"} | wrong
    with pytest.raises(ScheduleError):
        Schedule(**values)  # type: ignore[arg-type] # wrong on purpose


CRITICAL = {"severity": "critical", "category": "security", "service": "api", "alertname": "Leak"}


@pytest.mark.parametrize(
    ("matchers", "labels", "silenced"),
    [
        ('service="api"', {"service": "api"}, True),
        ('service="api"', {"service": "bot"}, False),
        ('service="api"', CRITICAL, False),
        ('service="api", category="security"', CRITICAL, True),
        ('alertname="Leak"', CRITICAL, True),
        ('category=~".*"', CRITICAL, False),
        ('service="api"', {**CRITICAL, "severity": "warning"}, True),
    ],
)
def test_critical_security_alerts_must_be_named(
    matchers: str,
    labels: dict[str, str],
    silenced: bool,  # noqa: FBT001 - a case
) -> None:
    quiet = Quiet("silence 1", "deploy", parse_matchers(matchers), 0, 10)
    assert silenced == (silenced_by([quiet], labels) is not None)


@pytest.mark.parametrize(("now", "open_"), [(0.9, False), (1, True), (1.9, True), (2, False)])
def test_a_silence_is_open_from_start_to_end(now: float, open_: bool) -> None:  # noqa: FBT001 - a case
    assert open_ == Quiet("silence 1", "", (), 1, 2).is_open(now)
