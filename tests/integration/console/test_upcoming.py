"""Whom an incident wakes next, as the list and its page say it."""

from support.desk import Room


def test_an_open_incident_says_whom_it_wakes_next_until_somebody_takes_it(room: Room) -> None:
    desk, rosa = room.desk, room.seat("rosa")
    room.fires(desk.alert("Down"), incidents=1)
    page = rosa.page("/incidents")
    assert ">L2 cem " in page
    assert "level 2, devops, is paged next" in page
    assert "in 14 m" in page.partition("data-until>")[2][:20]
    assert "level 1 paged" in rosa.page("/incidents/1")
    rosa.sends("/incidents/1/ack")
    assert "is paged next" not in rosa.page("/incidents")
    rosa.sends("/incidents/1/unack")
    assert "is paged next" in rosa.page("/incidents")


def test_what_is_no_page_wakes_nobody(room: Room) -> None:
    room.fires(room.desk.alert("Slow", severity="warning"), incidents=1)
    assert "data-until" not in room.seat("rosa").page("/incidents")
