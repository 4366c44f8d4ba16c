from datetime import UTC, date, datetime

from abops.alerts.model import Level, OnCall, Policy, Routing, Team
from abops.entry.web.rota import Cell, calendar, ladders, on_duty

BERLIN = "Europe/Berlin"
THURSDAY = datetime(2026, 11, 26, 14, 20, tzinfo=UTC)


def a_team(*members: str, **rota: object) -> Team:
    turns = OnCall(members, **rota)  # type: ignore[arg-type]
    return Team("dev", "pd", "chat", oncall=turns, tz=turns.tz)


def test_the_next_handover_is_to_somebody_else() -> None:
    team = a_team("ana", "ana", "bo", tz=BERLIN)
    seen = set()
    for day in (5, 12, 19, 26):
        [one] = on_duty([team], datetime(2026, 11, day, 12, 0, tzinfo=UTC))
        assert one.until is not None
        [later] = on_duty([team], one.until)
        assert one.person != one.then == later.person
        seen.add((one.until - datetime(2026, 11, day, 12, 0, tzinfo=UTC)).days // 7)
    assert {0, 1} == seen  # also across ana's two turns in a row


def test_who_has_no_partner_hands_over_to_nobody() -> None:
    team = a_team("frida")
    [one] = on_duty([team], THURSDAY)
    assert ("frida", None, "") == (one.person, one.until, one.then)
    days = calendar([team], THURSDAY, "UTC")
    assert [] == [cell.handovers for day in days for cell in day.cells if cell.handovers]


def test_a_team_without_a_rota_has_nobody_by_name() -> None:
    [one] = on_duty([Team("dev", "pd", "chat")], THURSDAY)
    assert ("", None) == (one.person, one.until)


def test_a_handover_stands_on_the_day_of_the_teams_zone() -> None:
    team = a_team("ana", "bo", rotate="daily", hour=0, minute=30, tz="Pacific/Auckland")
    days = calendar([team], THURSDAY, "Pacific/Auckland")
    assert 14 == len(days)
    assert date(2026, 11, 27) == days[0].day
    assert {("00:30",)} == {tuple(at for at, _ in day.cells[0].handovers) for day in days[1:]}


def test_the_first_day_begins_with_who_is_on_call_now() -> None:
    team = a_team("ana", "bo", rotate="daily", hour=9)
    days = calendar([team], THURSDAY, "UTC")
    [now] = on_duty([team], THURSDAY)
    assert Cell(now.person, ()) == days[0].cells[0]  # today's handover is over
    assert (("09:00", now.then),) == days[1].cells[0].handovers


def test_a_weekly_rota_changes_on_two_days_of_a_fortnight() -> None:
    days = calendar([a_team("ana", "bo", tz=BERLIN)], THURSDAY, BERLIN)
    changing = [day.day for day in days if day.changes]
    assert [date(2026, 11, 26), date(2026, 11, 30), date(2026, 12, 7)] == changing


def test_the_clock_change_keeps_the_local_time_of_a_handover() -> None:
    team = a_team("ana", "bo", tz=BERLIN)
    days = calendar([team], datetime(2026, 10, 22, 12, 0, tzinfo=UTC), BERLIN)
    assert ["09:00", "09:00"] == [at for day in days for at, _ in day.cells[0].handovers]


def test_a_level_names_who_is_on_call_when_it_comes() -> None:
    before = datetime(2026, 11, 30, 7, 50, tzinfo=UTC)  # ten minutes before the handover
    dev = a_team("ana", "bo", tz=BERLIN)
    levels = (Level("dev", 0), Level("dev", 900))
    routing = Routing("", {}, {"dev": dev}, (), escalation=Policy(levels))
    [one] = ladders(routing, before)
    assert ["at once", "after 15 min"] == [step.after for step in one.steps]
    assert 2 == len({step.person for step in one.steps})
    assert "15 min" == one.again
