"""Silences and maintenance windows by their pages, with a real service and a gate before it."""

from datetime import timedelta

import pytest

from support.desk import Room


def counted(page: str) -> str:
    """Return what the open ones hold back, in the page's words."""
    begin = page.index('class="holds')
    return page[page.index("<strong>", begin) + 8 : page.index("</strong>", begin)]


def test_a_silence_is_kept_shown_with_what_it_holds_back_and_ended(room: Room) -> None:
    desk, rosa = room.desk, room.seat("rosa")
    room.fires(desk.alert("Slow", instance="a"), desk.alert("Slow", instance="b"), incidents=1)
    asked = {"matchers": 'service="api"', "reason": "load test", "for": "2h"}
    assert (303, "/silences?done=silence") == rosa.sends("/silences", **asked)
    page = rosa.page("/silences")
    assert "service is api" in page
    assert "load test" in page
    assert "by rosa" in page
    assert "2" == counted(page)
    assert (303, "/silences?done=ended") == rosa.sends("/silences/1/end")
    page = rosa.page("/silences?done=ended")
    assert "Nothing is silenced" in page
    assert "silence 1 by rosa" in page
    assert "ended by rosa" in page


def test_a_silence_may_begin_later(room: Room) -> None:
    rosa = room.seat("rosa")
    begin = room.desk.clock.now() + timedelta(hours=3)
    asked = {"matchers": 'service="api"', "reason": "a test", "for": "30m"}
    rosa.sends("/silences", **asked, **{"from": begin.strftime("%Y-%m-%dT%H:%M")})
    [row] = room.ask(room.desk.service.silences)
    assert row.starts_at is not None
    assert begin.timestamp() // 60 == row.starts_at // 60
    assert "Call it off" in rosa.page("/silences")


def test_viewers_and_responders_are_kept_from_what_they_may_not(room: Room) -> None:
    vera, rosa = room.seat("vera"), room.seat("rosa")
    asked = {"matchers": 'service="api"', "reason": "x", "for": "1h", "lasts": "1h"}
    assert 403 == vera.sends("/silences", **asked)[0]
    assert 403 == vera.sends("/silences/1/end")[0]
    assert 403 == rosa.sends("/maintenance", **asked, name="n")[0]
    assert 403 == rosa.sends("/maintenance/1/end")[0]
    assert 'action="/silences"' not in vera.page("/silences")
    assert 'action="/maintenance"' not in rosa.page("/maintenance")


def test_a_responder_who_wants_days_is_told_whom_to_ask(room: Room) -> None:
    status, page = room.seat("rosa").sends(
        "/silences", matchers='service="api"', reason="kept", **{"for": "7d"}
    )
    assert 400 == status
    assert "a responder silences for up to 8 h" in page
    assert 'value="kept"' in page


def test_windows_once_and_every_week(room: Room) -> None:
    olga = room.seat("olga")
    what = {"name": "move", "matchers": 'service="postgres"', "reason": "new disk"}
    sent = olga.sends("/maintenance", **what, repeat="once", lasts="2h")
    assert (303, "/maintenance?done=window") == sent
    weekly = {"at": "02:00", "tz": "Europe/Berlin", "lasts": "2h", "day": ["sat", "sun"]}
    olga.sends("/maintenance", **(what | {"name": "dump"}), repeat="weekly", **weekly)
    page = olga.page("/maintenance")
    assert page.index(">move<") < page.index(">dump<")
    assert "Sat, Sun 02:00 for 2h, Europe/Berlin" in page
    assert "End it and its repetitions" in page
    olga.sends("/maintenance/1/end")
    assert [2] == [row.id for row in room.ask(room.desk.service.windows)]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"repeat": "once", "lasts": "8d"}, "it would last 7 days, 23:59"),
        ({"repeat": "once", "lasts": "soon"}, "is not a duration"),
        ({"repeat": "once", "lasts": "1h", "from": "noon"}, "is no time"),
        ({"repeat": "weekly", "lasts": "1h", "at": "02:00", "tz": "UTC"}, "days are some of"),
        (
            {"repeat": "weekly", "lasts": "1h", "at": "2", "tz": "Mars", "day": "sat"},
            "cannot be read",
        ),
    ],
)
def test_a_window_that_cannot_be_is_said_at_its_form(
    room: Room, fields: dict[str, str], says: str
) -> None:
    what = {"name": "move", "matchers": 'service="postgres"', "reason": "new disk"}
    status, page = room.seat("olga").sends("/maintenance", **what, **fields)
    begin = page.index(f'id="{fields["repeat"]}"')
    assert 400 == status
    assert says in page[begin : page.index("</form>", begin)]
    assert () == room.ask(room.desk.service.windows)


def test_ending_what_is_over_says_so(room: Room) -> None:
    status, page = room.seat("olga").sends("/silences/7/end")
    assert 404 == status
    assert "there is no silence 7 that could be ended" in page


def test_the_timeline_of_an_incident_calls_a_window_by_its_name(room: Room) -> None:
    desk, olga = room.desk, room.seat("olga")
    room.fires(desk.alert("Slow", instance="a"), incidents=1)
    asked = {"name": "New disk", "matchers": 'service="api"', "reason": "grows", "lasts": "1h"}
    assert (303, "/maintenance?done=window") == olga.sends("/maintenance", repeat="once", **asked)
    olga.sends("/maintenance/1/end")
    timeline = olga.page("/incidents/1").partition('id="timeline"')[2]
    assert "1 alert silenced by window 1 (New disk): grows" in timeline
