"""What is listed of silences and windows: open first, then planned; what is over."""

from datetime import UTC, datetime, timedelta

import pytest

from abops.alerts.route.window import Schedule
from abops.alerts.service.hush import SilenceError
from abops.alerts.store.duty import SilenceRow
from abops.entry.web.quiet_forms import begin_of, listed, next_opening, past, schedule_in_words
from abops.entry.web.quiet_now import open_now, silent
from support.console import NOON, an_alert

AT = NOON.timestamp()
SATURDAY = Schedule(("sat",), "02:00", "2h", "Europe/Berlin")


def a_row(number: int, begins: float, ends: float, **more: str) -> SilenceRow:
    return SilenceRow(number, 'service="api"', "moved", AT + begins, AT + ends, AT, "ana", **more)


def test_what_is_open_comes_first_then_the_next_that_opens() -> None:
    rows = [a_row(1, 7200, 9000), a_row(2, 3600, 9000), a_row(3, -10, 60)]
    found = listed("silence", rows, {"silence 3": 4}, NOON)
    assert [(3, True, 4), (2, False, 0), (1, False, 0)] == [
        (one.number, one.is_open, one.holds) for one in found
    ]
    assert NOON + timedelta(hours=1) == found[1].begins_at


def test_a_weekly_window_says_when_it_opens_next_and_closes() -> None:
    schedule = '{"days":["sat"],"at":"02:00","for":"2h","tz":"Europe/Berlin"}'
    row = SilenceRow(1, 'service="db"', "dump", None, None, AT, "ana", "dump", schedule)
    [one] = listed("window", [row], {}, NOON)
    assert datetime(2026, 11, 28, 1, 0, tzinfo=UTC) == one.begins_at
    assert datetime(2026, 11, 28, 3, 0, tzinfo=UTC) == one.ends_at
    assert "Sat 02:00 for 2h, Europe/Berlin" == one.schedule


def test_the_next_opening_today_and_in_a_week() -> None:
    saturday = datetime(2026, 11, 28, 0, 59, tzinfo=UTC)
    assert datetime(2026, 11, 28, 1, 0, tzinfo=UTC) == next_opening(SATURDAY, saturday)
    later = saturday + timedelta(minutes=2)
    assert datetime(2026, 12, 5, 1, 0, tzinfo=UTC) == next_opening(SATURDAY, later)


def test_every_day_is_said_shortly() -> None:
    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    assert "every day 02:00 for 1h, UTC" == schedule_in_words(Schedule(days, "02:00", "1h"))


def test_what_is_over_is_known_with_who_ended_it() -> None:
    def row(action: str, subject: str, actor: str = "ana") -> dict[str, object]:
        return {"action": action, "subject": subject, "actor": actor, "at": AT}

    audited = [
        row("end silence", "silence 2", "bo"),
        row("silence", 'silence 3: service="api"'),
        row("silence", 'silence 2: service="bot"'),
        row("ack", "INC-2"),
        row("window", 'window 1: service="db"'),
        row("silence", 'silence 1: env="dev"'),
    ]
    found = past("silence", audited, alive={3})
    assert [(2, 'service="bot"', "bo"), (1, 'env="dev"', "")] == [
        (one.number, one.matchers, one.ended_by) for one in found
    ]


def test_alerts_count_for_the_first_that_holds_them_back() -> None:
    active = open_now([a_row(1, -10, 60), a_row(2, -10, 60)], [], NOON)
    alerts = [
        an_alert("A", labels={"service": "api"}),
        an_alert("B", labels={"service": "bot"}),
        an_alert("C", labels={"service": "api"}, state="resolved"),
    ]
    assert {"a": "silence 1"} == {key: q.name for key, q in silent(active, alerts).items()}


def test_a_row_that_cannot_be_read_breaks_no_page() -> None:
    row = SilenceRow(1, "what is this", "moved", AT - 1, AT + 1, AT, "ana")
    assert [] == open_now([row], [], NOON)
    assert "what is this" == listed("silence", [row], {}, NOON)[0].words


def test_a_begin_is_read_in_utc_or_is_now() -> None:
    assert AT == begin_of("2026-11-24T12:00")
    assert begin_of("") is None
    with pytest.raises(SilenceError, match="is no time"):
        begin_of("tomorrow")
