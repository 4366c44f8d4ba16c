from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abops.backup.model import SetFacts, Timetable
from abops.backup.schedule.agenda import agenda, due, missed
from abops.backup.schedule.need import automatic, needed
from abops.backup.schedule.place import Copying, Due, Place, run_id
from abops.backup.schedule.times import last_slot, slots_between
from abops.backup.store.records import Run, RunState
from support.sets import a_chain, a_set, label_of

POLICY = Timetable(full="sun 01:00", incr="01:00", verify="05:00", drill="03:00")
SUNDAY = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
MONDAY = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


LONG_AGO = {"rehearsed": 0.0, "retained": 1.0}


def a_full(at: datetime, **different: object) -> SetFacts:
    return a_set(label_of(at), **different)


def an_incr(full: SetFacts, at: datetime, **different: object) -> SetFacts:
    return a_set(label_of(at, full.label), **different)


def a_place(*sets: SetFacts, **different: object) -> Place:
    place = Place(name="eu", generation="g1", sets=sets, verified=0.0, **LONG_AGO)
    return msgspec.structs.replace(place, **different)


def a_run(run: Due, state: RunState, *, ended: datetime, attempt: int = 1) -> Run:
    return Run(
        id=run.id,
        destination=run.destination,
        kind=run.kind,
        planned=run.planned,
        state=state,
        attempt=attempt,
        started=ended.timestamp(),
        ended=ended.timestamp(),
    )


def backup_at(now: datetime, place: Place) -> tuple[str, str] | None:
    run = needed(now, place, POLICY)
    return None if run is None else (run.kind, run.reason)


def test_the_daily_increment_is_due_from_its_minute_on() -> None:
    place = a_place(a_full(SUNDAY))
    assert backup_at(MONDAY - MINUTE, place) is None
    assert ("incr", "the daily one of 01:00") == backup_at(MONDAY, place)
    made = a_place(*place.sets, an_incr(place.sets[0], MONDAY + MINUTE))
    assert backup_at(NOON, made) is None


def test_on_sunday_it_is_a_full_one() -> None:
    place = a_place(*a_chain(7, start=label_of(SUNDAY)))
    assert ("full", "the weekly one of sun 01:00") == backup_at(SUNDAY + timedelta(7), place)


def test_several_missed_runs_are_one() -> None:
    place = a_place(*a_chain(3, start=label_of(SUNDAY)))
    run = needed(SUNDAY + timedelta(days=5, hours=3), place, POLICY)
    assert run is not None
    assert ("incr", (SUNDAY + timedelta(5)).timestamp()) == (run.kind, run.planned)


def test_a_missed_sunday_is_made_good_as_soon_as_somebody_looks() -> None:
    place = a_place(*a_chain(7, start=label_of(SUNDAY - timedelta(7))))
    run = needed(SUNDAY + timedelta(hours=20), place, POLICY)
    assert run is not None
    expected = ("full", SUNDAY.timestamp(), "the weekly one of sun 01:00")
    assert expected == (run.kind, run.planned, run.reason)


FULL = a_full(SUNDAY)
INCR = an_incr(FULL, MONDAY)
WITH_TROUBLE = {
    "nothing yet": (a_place(), "there is none with the key of g1 yet"),
    "new key": (a_place(generation="g2"), "there is none with the key of g2 yet"),
    "broken full": (
        a_place(FULL, INCR, invalid={FULL.label: NOON.timestamp() - 60}),
        f"the chain of {INCR.label} was found broken",
    ),
    "broken increment": (
        a_place(FULL, INCR, invalid={INCR.label: NOON.timestamp() - 60}),
        f"the chain of {INCR.label} was found broken",
    ),
    "torn pages": (
        a_place(FULL, an_incr(FULL, MONDAY, error=True)),
        f"{INCR.label} holds pages with a wrong checksum",
    ),
    "orphan": (a_place(INCR), f"what {INCR.label} stands on is missing"),
    "hole in the log": (
        a_place(FULL, INCR, gap_found=NOON.timestamp() - 60),
        "log is missing since the last full one",
    ),
    "promoted": (
        a_place(FULL, INCR, timeline=2),
        "the database is on timeline 2, the last set on 1",
    ),
}


@pytest.mark.parametrize("trouble", WITH_TROUBLE, ids=str)
def test_trouble_makes_a_full_one_due_at_once(trouble: str) -> None:
    place, reason = WITH_TROUBLE[trouble]
    assert ("full", reason) == backup_at(NOON, place)
    assert ("full", reason) == automatic(NOON, place)


def test_a_full_one_that_is_almost_eight_days_old_is_replaced_whatever_the_timetable() -> None:
    monthly = msgspec.structs.replace(POLICY, full="mon 02:00")
    made = SUNDAY - timedelta(hours=1)  # on Sunday by hand; Monday's came and failed for good
    place = a_place(*a_chain(8, start=label_of(made)))
    limit = made + timedelta(days=8, hours=-1)
    assert "full" == automatic(limit + MINUTE, place)[0]
    assert "incr" == automatic(limit - MINUTE, place)[0]
    run = needed(limit + MINUTE, place, monthly)
    assert run is not None
    assert ("full", "the last full one is almost eight days old") == (run.kind, run.reason)


def test_a_hole_before_the_last_full_one_matters_no_more() -> None:
    place = a_place(FULL, INCR, gap_found=SUNDAY.timestamp() - 60)
    assert backup_at(NOON, place) is None


def test_an_increment_as_big_as_most_of_the_full_one_is_followed_by_a_full_one() -> None:
    def after(size: int) -> tuple[str, str] | None:
        place = a_place(FULL, an_incr(FULL, MONDAY, repo_size=size))
        return backup_at(MONDAY + timedelta(1), place)

    assert ("incr", "the daily one of 01:00") == after(FULL.repo_size * 60 // 100)
    expected = ("full", "the last increment has 61% of its full set's size")
    assert expected == after(FULL.repo_size * 61 // 100)


def test_by_hand_it_builds_on_the_newest_set() -> None:
    assert ("incr", f"it builds on {INCR.label}") == automatic(NOON, a_place(FULL, INCR))


def failures(attempt: int, state: RunState = "failed") -> tuple[Place, Run]:
    place = a_place(FULL)
    run = needed(NOON, place, POLICY)
    assert run is not None
    return place, a_run(run, state, ended=NOON, attempt=attempt)


def of_backups(runs: tuple[Due, ...]) -> tuple[Due, ...]:
    return tuple(run for run in runs if run.kind in {"full", "incr"})


@pytest.mark.parametrize(("attempt", "pause_s"), [*enumerate(POLICY.retry_after_s, start=1)])
def test_a_failed_run_is_tried_again_after_its_pause(attempt: int, pause_s: float) -> None:
    place, run = failures(attempt)
    early = NOON + timedelta(seconds=pause_s - 1)
    assert () == of_backups(due(early, [place], [run], POLICY))
    again = of_backups(due(early + timedelta(seconds=1), [place], [run], POLICY))
    assert [(run.id, attempt + 1)] == [(one.id, one.attempt) for one in again]


def test_after_three_more_tries_it_waits_for_its_next_time() -> None:
    place, run = failures(4)
    assert () == of_backups(due(NOON + timedelta(hours=12), [place], [run], POLICY))
    tomorrow = of_backups(due(MONDAY + timedelta(1), [place], [run], POLICY))
    assert [run_id("eu", "incr", (MONDAY + timedelta(1)).timestamp())] == [
        one.id for one in tomorrow
    ]


def test_trouble_that_one_night_did_not_mend_is_tried_again_the_next() -> None:
    place = a_place(FULL, INCR, invalid={FULL.label: NOON.timestamp()})
    first = needed(NOON, place, POLICY)
    assert first is not None
    given_up = a_run(first, "failed", ended=NOON, attempt=4)
    now = MONDAY + timedelta(1)
    again = of_backups(due(now, [place], [given_up], POLICY))
    assert [("full", now.timestamp(), 1)] == [(r.kind, r.planned, r.attempt) for r in again]


def test_a_run_that_was_cut_off_is_taken_up_at_once() -> None:
    place, run = failures(1, "interrupted")
    again = of_backups(due(NOON, [place], [run], POLICY))
    assert [(run.id, 2)] == [(one.id, one.attempt) for one in again]


@pytest.mark.parametrize("state", ["running", "success", "missed"])
def test_a_run_under_way_or_over_is_not_due(state: RunState) -> None:
    place, run = failures(1, state)
    assert () == of_backups(due(NOON + timedelta(hours=6), [place], [run], POLICY))


def test_none_begins_while_another_backup_of_the_destination_runs() -> None:
    place, run = failures(1, "running")
    now = MONDAY + timedelta(1)
    found = agenda(now, [place], [run], POLICY)
    assert () == of_backups(found.due)
    assert f"{run.id} is under way" in [one.because for one in found.waiting]


def test_none_begins_while_more_than_four_segments_are_owed() -> None:
    def waiting(owed: int) -> list[str]:
        found = agenda(NOON, [a_place(FULL, owed=owed)], [], POLICY)
        return [one.because for one in found.waiting]

    assert [] == waiting(4)
    assert ["5 segments of log are still owed to eu"] == waiting(5)


def test_one_destination_that_waits_keeps_no_other() -> None:
    eu = a_place(FULL, owed=9)
    us = msgspec.structs.replace(a_place(FULL), name="us")
    assert ["us"] == [one.destination for one in of_backups(due(NOON, [eu, us], [], POLICY))]


def test_each_night_another_destination_is_restored() -> None:
    places = [msgspec.structs.replace(a_place(FULL), name=name) for name in ("eu", "us", "azure")]
    turns = [
        run.destination
        for day in range(1, 7)
        for run in due(SUNDAY + timedelta(days=day, hours=3), places, [], POLICY)
        if run.kind == "drill"
    ]
    assert 6 == len(turns)
    assert turns[:3] == turns[3:]
    assert {"eu", "us", "azure"} == set(turns[:3])


def test_a_destination_without_sets_is_neither_verified_nor_restored() -> None:
    assert {"full", "config"} == {run.kind for run in due(NOON, [a_place()], [], POLICY)}


def test_settings_are_saved_once_an_hour_for_all_destinations() -> None:
    def saved(now: datetime) -> set[str]:
        runs = due(now, [a_place(FULL), a_place(INCR)], [], POLICY)
        return {run.id for run in runs if run.kind == "config"}

    assert {"all-config-20261123T120000Z"} == saved(NOON) == saved(NOON + 59 * MINUTE)
    assert {"all-config-20261123T130000Z"} == saved(NOON + 60 * MINUTE)


def test_nights_that_nobody_began_are_counted_as_missed() -> None:
    place = a_place(FULL, an_incr(FULL, SUNDAY + timedelta(5)))
    lost = missed(SUNDAY + timedelta(days=8, hours=1), place, [], POLICY, SUNDAY - MINUTE)
    expected = [*(("incr", day) for day in (1, 2, 3, 4, 6)), ("full", 7)]
    assert [(kind, (SUNDAY + timedelta(day)).timestamp()) for kind, day in expected] == [
        (one.kind, one.planned) for one in lost
    ]


def test_a_night_with_a_run_that_failed_is_not_missed() -> None:
    place = a_place(FULL)
    run = needed(MONDAY, place, POLICY)
    assert run is not None
    failed = a_run(run, "failed", ended=MONDAY)
    later = MONDAY + timedelta(days=1, hours=2)
    assert () == missed(later, place, [failed], POLICY, SUNDAY)


def test_times_are_those_of_the_zone() -> None:
    berlin = last_slot("sun 01:00", "Europe/Berlin", NOON)
    assert datetime(2026, 11, 22, 0, 0, tzinfo=UTC) == berlin


def test_an_hour_that_is_skipped_or_comes_twice_is_one_run() -> None:
    start = datetime(2026, 3, 28, 12, tzinfo=UTC)
    spring = list(slots_between("02:30", "Europe/Berlin", start, start + timedelta(2)))
    assert [(29, 1, 30), (30, 0, 30)] == [(s.day, s.hour, s.minute) for s in spring]
    start = datetime(2026, 10, 24, 12, tzinfo=UTC)
    autumn = list(slots_between("02:30", "Europe/Berlin", start, start + timedelta(2)))
    assert [(25, 0, 30), (26, 1, 30)] == [(s.day, s.hour, s.minute) for s in autumn]


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.booleans(), min_size=1, max_size=30),
    st.integers(0, 3),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]),
)
def test_every_night_has_one_success_however_often_it_is_looked_at(
    lucky: list[bool], extra_looks: int, tz: str
) -> None:
    """A simulated month: each look at the agenda does what it says, some attempts fail."""
    policy = msgspec.structs.replace(POLICY, tz=tz)
    place, runs = a_place(), {}
    chance = iter(lucky * 200)
    now, end = SUNDAY - timedelta(days=1), SUNDAY + timedelta(days=9)
    while now < end:
        for _ in range(1 + extra_looks):
            for run in of_backups(due(now, [place], runs.values(), policy)):
                state: RunState = "success" if next(chance) else "failed"
                runs[run.id] = a_run(run, state, ended=now, attempt=run.attempt)
                if state == "success":
                    place = with_one_more(place, run, now)
        now += timedelta(minutes=20)
    for place_set in place.sets:
        assert place_set.run in runs
    assert len(place.sets) == len({one.run for one in place.sets})
    if all(lucky):
        assert 10 <= len(place.sets) <= 11
        assert 1 <= sum(one.type == "full" for one in place.sets) <= 3


def with_one_more(place: Place, run: Due, now: datetime) -> Place:
    fulls = [one for one in place.sets if one.type == "full"]
    if run.kind == "full":
        made = a_full(now, run=run.id)
    else:
        made = an_incr(fulls[-1], now, run=run.id, prior=place.sets[-1].label)
    return msgspec.structs.replace(place, sets=(*place.sets, made))


def test_what_comes_at_an_interval_comes_at_its_multiples() -> None:
    assert datetime(2026, 11, 23, 12, 0, tzinfo=UTC) == last_slot("6h", "Europe/Kyiv", NOON)
    later = NOON + timedelta(hours=5, minutes=59)
    assert datetime(2026, 11, 23, 12, 0, tzinfo=UTC) == last_slot("6h", "UTC", later)
    slots = list(slots_between("6h", "UTC", NOON - timedelta(hours=12), NOON))
    assert [6, 12] == [slot.hour for slot in slots]


def test_a_mirror_is_brought_up_to_date_after_its_source_was_found_whole() -> None:
    def kinds(**known: float) -> list[str]:
        found = agenda(NOON, [], [], POLICY, [Copying(name="vault", source="eu", **known)])
        return [one.kind for one in found.due]

    assert ["config"] == kinds()
    assert ["config", "mirror"] == kinds(verified=10.0)
    assert ["config", "mirror"] == kinds(verified=10.0, copied=9.0)
    assert ["config"] == kinds(verified=10.0, copied=11.0)


def test_the_first_set_of_a_destination_is_verified_and_then_restored_at_once() -> None:
    first = a_full(NOON - timedelta(hours=1))

    def chores(**known: float | None) -> list[tuple[str, float]]:
        place = a_place(first, **{"verified": None, "rehearsed": None, **known})
        found = due(NOON, [place], [], POLICY)
        return [(one.kind, one.planned) for one in found if one.kind in {"verify", "drill"}]

    assert [("verify", first.stopped)] == chores()
    assert [("drill", first.stopped)] == chores(verified=1.0)
    assert [] == chores(verified=1.0, rehearsed=1.0)


def test_old_sets_may_go_once_after_each_verification() -> None:
    def kinds(**known: float | None) -> list[str]:
        place = a_place(a_full(NOON - MINUTE), **{"retained": None, **known})
        return [one.kind for one in due(NOON, [place], [], POLICY) if one.kind == "retain"]

    assert [] == kinds(verified=None)
    assert ["retain"] == kinds(verified=5.0)
    assert ["retain"] == kinds(verified=5.0, retained=4.0)
    assert [] == kinds(verified=5.0, retained=6.0)
