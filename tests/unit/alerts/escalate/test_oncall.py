"""Whose turn it is."""

from datetime import UTC, datetime, timedelta

from abops.alerts.model import OnCall
from abops.alerts.route.oncall import next_handover, on_call

ROTA = OnCall(("one", "two"), tz="Europe/Berlin")
HANDOVER = datetime(2026, 11, 23, 8, tzinfo=UTC)  # a Monday, 09:00 in Berlin


def test_the_turn_changes_at_the_handover_and_not_a_second_before() -> None:
    before, after = (on_call(ROTA, HANDOVER + timedelta(seconds=s)) for s in (-1, 0))
    assert {before, after} == {"one", "two"}
    week = timedelta(days=7)
    assert [after, before] == [
        on_call(ROTA, HANDOVER + week - timedelta(seconds=1)),
        on_call(ROTA, HANDOVER + week),
    ]


def test_the_handover_keeps_its_local_time_when_the_clocks_change() -> None:
    friday = datetime(2026, 3, 27, 12, tzinfo=UTC)  # summer time begins on the Sunday after
    assert datetime(2026, 3, 30, 7, tzinfo=UTC) == next_handover(ROTA, friday)


def test_daily_turns_change_every_day() -> None:
    rota = OnCall(("one", "two", "three"), rotate="daily")
    names = [on_call(rota, datetime(2026, 11, day, 10, tzinfo=UTC)) for day in (23, 24, 25, 26)]
    assert names[0] == names[3]
    assert {"one", "two", "three"} == set(names[:3])
