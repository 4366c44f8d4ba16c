import pytest

from abops.alerts.score.fatigue import (
    WEEK_S,
    Closed,
    Fatigue,
    Page,
    fatigue,
    is_night,
    kinds,
    people,
)


def incidents(kind: str, count: int, *, lasts: float = 3600.0, **known: object) -> list[Closed]:
    base = {"acked_at": None, "resolved_at": lasts, **known}
    return [Closed(number, kind, 4, 0.0, **base) for number in range(count)]  # type: ignore[arg-type]


def test_nothing_happened() -> None:
    assert Fatigue(0, 0, None, 0, None, None, (), (), "No incident: nothing to change.") == fatigue(
        [], [], period_s=WEEK_S
    )


def test_figures_of_a_week_by_hand() -> None:
    rows = [
        Closed(1, "A", 10, 0.0, acked_at=60.0, resolved_at=600.0),
        Closed(2, "A", 2, 100.0, acked_at=280.0, resolved_at=1300.0),
        Closed(3, "B", 3, 0.0),
    ]
    found = fatigue([], rows, period_s=WEEK_S)
    assert (3, 15, 5.0, 2) == (
        found.incidents,
        found.alerts,
        found.alerts_per_incident,
        found.acked,
    )
    assert (120.0, 900.0) == (found.mtta_s, found.mttr_s)


@pytest.mark.parametrize(("hour", "night"), [(6, True), (7, False), (21, False), (22, True)])
def test_night_is_from_ten_to_seven(hour: int, night: bool) -> None:  # noqa: FBT001
    assert night is is_night(hour)


def test_who_is_woken_most_comes_first_and_gets_relief() -> None:
    pages = [Page("ana", 3)] * 3 + [Page("bo", 12)] * 9 + [Page("bo", 23)]
    rows = people(pages, period_s=WEEK_S)
    assert [("ana", 0, 3), ("bo", 9, 1)] == [(row.person, row.day, row.night) for row in rows]
    assert rows[0].proposal.startswith("3.0 pages a week at night, more than 2: hold")
    assert "Bearable; nothing to change." == rows[1].proposal


def test_the_same_nights_over_a_longer_time_are_bearable() -> None:
    pages = [Page("ana", 3)] * 3
    assert "Most pages come at night: look which job runs then." == (
        people(pages, period_s=2 * WEEK_S)[0].proposal
    )


def test_a_kind_that_nobody_acknowledged_is_named() -> None:
    rows = kinds(incidents("DiskFull", 5))
    assert [("DiskFull", "never acknowledged", 5, 1.0)] == [
        (row.kind, row.finding, row.incidents, row.share) for row in rows
    ]
    assert "digest" in rows[0].proposal
    assert () == kinds([*incidents("DiskFull", 4), *incidents("DiskFull", 1, acked_at=5.0)])


def test_a_critical_kind_is_never_proposed_to_be_deleted() -> None:
    rows = kinds(incidents("DiskFull", 5, severity="critical"))
    assert rows[0].proposal.startswith("Ask whether DiskFull is critical")


def test_a_kind_that_goes_away_gets_the_wait_that_would_have_spared_it() -> None:
    some = incidents("Slow", 3, lasts=130.0) + incidents("Slow", 2, acked_at=9.0)
    rows = kinds(some)
    assert ["gone within 5 min"] == [row.finding for row in rows]
    assert pytest.approx(0.6) == rows[0].share
    assert rows[0].proposal.startswith("Let Slow hold 3 min longer before it fires")


def test_what_a_person_ended_did_not_go_away_by_itself() -> None:
    some = incidents("Slow", 5, lasts=60.0, resolved_by="ana")
    assert ["never acknowledged"] == [row.finding for row in kinds(some)]


def test_flapping_is_told_instead_of_brevity() -> None:
    some = incidents("Slow", 5, lasts=60.0, flapped=True, acked_at=5.0)
    assert ["flapping"] == [row.finding for row in kinds(some)]


def test_a_few_incidents_are_an_accident() -> None:
    assert () == kinds(incidents("DiskFull", 4))


def test_incidents_of_single_alerts_question_the_grouping() -> None:
    single = [Closed(n, "A", 1, 0.0, acked_at=1.0) for n in range(5)]
    assert fatigue([], single, period_s=WEEK_S).proposal.startswith(
        "1.0 alerts an incident: hardly"
    )
    many = [Closed(n, "A", 8, 0.0, acked_at=1.0) for n in range(5)]
    assert "8.0 alerts an incident: that many fewer messages." == (
        fatigue([], many, period_s=WEEK_S).proposal
    )
