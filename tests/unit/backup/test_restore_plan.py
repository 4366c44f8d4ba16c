from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abops.backup.model import SegmentName, SetFacts
from abops.backup.postgres.log_files import Fork, fork_of
from abops.backup.restore.log import Log, merged, stored_segments
from abops.backup.restore.plan import plan
from abops.backup.restore.request import (
    Holding,
    Place,
    Plan,
    Rehearsal,
    Request,
    RestoreRefusedError,
)
from abops.backup.restore.target import IMMEDIATE, LATEST, Target, at_time, target_of
from abops.kernel.clock import moment
from abops.kernel.errors import UsageError
from support.sets import a_set, begun

NEW = Place(folder=Path("/new"), free=10**12)
MONDAY = "20261102-010000F"
TUESDAY = "20261103-010000F"
SEGMENT_S = 60.0


def a_place_set(label: str, first: int, **different: object) -> SetFacts:
    """Return a set whose log is one segment."""
    name = SegmentName(1, first).file_name()
    lsn = f"{first * 2**24 >> 32:X}/{(first * 2**24) % 2**32 + 0x100:X}"
    return a_set(
        label,
        **{"wal_start": name, "wal_stop": name, "lsn_start": lsn, "lsn_stop": lsn} | different,
    )


def kept(*numbers: int, timeline: int = 1, origin: float | None = None) -> dict[SegmentName, float]:
    """Return segments, one a minute since Monday's set began with number 100."""
    zero = begun(MONDAY) if origin is None else origin
    return {SegmentName(timeline, n): zero + (n - 99) * SEGMENT_S + 1 for n in numbers}


def decide(target: Target = LATEST, **given_: object) -> Plan:
    """Return the plan for two destinations, Monday's set at 100 in both, log to 130."""
    options: dict[str, object] = {
        "log": Log(kept(*range(100, 131))),
        "holdings": (
            Holding(destination="eu", sets=(a_place_set(MONDAY, 100),)),
            Holding(destination="us", sets=(a_place_set(MONDAY, 100, destination="us"),)),
        ),
        "history": (),
        "place": NEW,
    } | given_
    log, holdings, history = (options.pop(name) for name in ("log", "holdings", "history"))
    return plan(Request(target=target, **options), holdings, log, history)  # type: ignore[arg-type]


def at_minute(minute: float) -> Target:
    return at_time(moment(begun(MONDAY) + minute * SEGMENT_S))


def test_the_latest_point_is_the_end_of_the_log() -> None:
    made = decide()
    assert ("eu", "eu", "us") == (made.source, *made.logs)
    assert (SegmentName(1, 100).file_name(), SegmentName(1, 130).file_name()) == (
        made.wal_first,
        made.wal_last,
    )
    assert 31 == made.segments
    assert int(30_000_000 * 1.2) == made.need


def test_a_time_needs_log_up_to_the_first_segment_kept_after_it() -> None:
    made = decide(at_minute(10))
    assert SegmentName(1, 109).file_name() == made.wal_last


def test_the_newest_set_before_the_target_is_taken() -> None:
    late = a_place_set("20261102-012000F", 120)
    eu = Holding(destination="eu", sets=(a_place_set(MONDAY, 100), late))
    assert MONDAY == decide(at_minute(15), holdings=(eu,)).facts.label
    assert late.label == decide(at_minute(25), holdings=(eu,)).facts.label


def test_a_damaged_set_and_what_builds_on_it_are_passed_over() -> None:
    late = a_place_set("20261102-012000F", 120)
    child = a_place_set("20261102-012000F_20261102-012200I", 122, prior=late.label)
    eu = Holding(destination="eu", sets=(a_place_set(MONDAY, 100), late, child))
    made = decide(holdings=(eu,), spoiled=frozenset({("eu", late.label)}))
    assert MONDAY == made.facts.label


def test_a_target_before_the_oldest_set_is_refused_with_the_earliest_point() -> None:
    with pytest.raises(RestoreRefusedError, match="before the oldest") as refused:
        decide(at_minute(-10))
    assert "2026-11-02 01:01:00+00:00" in refused.value.hint


def test_a_target_in_a_hole_is_refused_with_the_last_reachable_point() -> None:
    log = Log(kept(*range(100, 111), *range(118, 131)))
    with pytest.raises(RestoreRefusedError, match=SegmentName(1, 111).file_name()) as refused:
        decide(at_minute(20), log=log)
    # The end of the last segment may hold no transaction to stop at: the end of the one before.
    assert "timeline 1 is 2026-11-02 01:10:01+00:00" in refused.value.hint
    assert SegmentName(1, 109).file_name() == decide(at_minute(10), log=log).wal_last
    with pytest.raises(RestoreRefusedError, match=SegmentName(1, 111).file_name()):
        decide(at_minute(10.5), log=log)


@pytest.mark.parametrize("target", [LATEST, Target("name", "before-v2"), Target("xid", "77")])
def test_a_target_that_nobody_can_place_is_refused_when_the_log_has_a_hole(target: Target) -> None:
    with pytest.raises(RestoreRefusedError, match="behind a hole"):
        decide(target, log=Log(kept(*range(100, 111), *range(118, 131))))


def test_before_a_hole_everything_is_reached() -> None:
    log = Log(kept(*range(100, 111), *range(118, 131)))
    assert SegmentName(1, 105).file_name() == decide(at_minute(6), log=log).wal_last
    assert SegmentName(1, 100).file_name() == decide(IMMEDIATE, log=log).wal_last


def test_a_newer_set_makes_a_hole_harmless() -> None:
    late = a_place_set("20261102-012000F", 120)
    eu = Holding(destination="eu", sets=(a_place_set(MONDAY, 100), late))
    log = Log(kept(*range(100, 111), *range(118, 131)))
    assert late.label == decide(holdings=(eu,), log=log).facts.label


def test_another_destination_fills_a_hole() -> None:
    eu = kept(*range(100, 111), *range(118, 131))
    us = kept(*range(109, 120))
    assert 31 == decide(log=Log(merged(eu, us))).segments


def test_a_target_after_the_end_is_refused() -> None:
    with pytest.raises(RestoreRefusedError, match="after the end of the log") as refused:
        decide(at_minute(60))
    assert "2026-11-02 01:30:01+00:00" in refused.value.hint
    with pytest.raises(RestoreRefusedError, match="after the end of the log"):
        decide(target_of(lsn="1/0"))


def test_a_set_without_its_own_log_is_refused() -> None:
    with pytest.raises(RestoreRefusedError, match="which is nowhere"):
        decide(IMMEDIATE, log=Log(kept(*range(101, 131))))


def test_a_dead_destination_is_left_out_and_named() -> None:
    dead = Holding(destination="eu", alive=False, reason="no answer within 10 s")
    us = Holding(destination="us", sets=(a_place_set(MONDAY, 100, destination="us"),))
    made = decide(holdings=(dead, us))
    assert ("us", ("us",), ("eu",)) == (made.source, made.logs, made.dead)
    with pytest.raises(RestoreRefusedError, match="eu: no answer within 10 s"):
        decide(holdings=(dead, us), sources=("eu",))


def test_only_the_named_source_is_asked() -> None:
    made = decide(sources=("us",))
    assert ("us", ("us",)) == (made.source, made.logs)
    with pytest.raises(UsageError, match="no destination mars"):
        decide(sources=("mars",))


def test_after_a_switch_of_timelines_the_way_leads_over_both() -> None:
    log = Log(
        kept(*range(100, 116)) | kept(*range(110, 131), timeline=2),
        {2: Fork(1, 110 * 2**24 + 500)},
    )
    made = decide(log=log)
    assert (2, SegmentName(2, 130).file_name()) == (made.timeline, made.wal_last)
    assert SegmentName(1, 115).file_name() == decide(log=log, timeline=1).wal_last


def test_a_set_of_an_abandoned_end_leads_nowhere() -> None:
    log = Log(
        kept(*range(100, 116)) | kept(*range(110, 131), timeline=2),
        {2: Fork(1, 110 * 2**24 + 500)},
    )
    dead_end = a_place_set("20261102-011300F", 113)
    eu = Holding(destination="eu", sets=(a_place_set(MONDAY, 100), dead_end))
    assert MONDAY == decide(holdings=(eu,), log=log).facts.label
    assert dead_end.label == decide(holdings=(eu,), log=log, timeline=1).facts.label


@pytest.mark.parametrize(
    ("place", "delta", "words"),
    [
        (Place(folder=Path("/d"), empty=False, free=1), False, "is no cluster"),
        (Place(folder=Path("/d"), empty=False, free=1), True, "is no cluster"),
        (Place(folder=Path("/d"), empty=False, cluster=True, free=1), False, "holds a cluster"),
        (
            Place(folder=Path("/d"), empty=False, cluster=True, live=True, free=10**12),
            True,
            "a server runs on",
        ),
        (Place(folder=Path("/d"), free=30_000_000), False, "needs 36 MB, 30 MB are free"),
    ],
)
def test_a_folder_that_somebody_needs_or_that_is_too_small_is_refused(
    *, place: Place, delta: bool, words: str
) -> None:
    with pytest.raises(RestoreRefusedError, match=words):
        decide(place=place, delta=delta)


def test_delta_reuses_the_files_of_a_stopped_cluster() -> None:
    place = Place(folder=Path("/d"), empty=False, cluster=True, free=1)
    assert decide(place=place, delta=True).delta


def test_the_expected_time_grows_with_size_and_log() -> None:
    took = {"provision": 0.5, "fetch": 6.0, "replay": 4.0, "promote": 0.5, "checks": 3.0}
    history = (Rehearsal(destination="eu", size=15_000_000, segments=10, phases=took),)
    assert pytest.approx(2 * 6 + 3.1 * 4 + 4) == decide(history=history).expected_s
    assert decide(sources=("us",), history=history).expected_s is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"time": "2026-11-02 12:00:00"}, "has no offset"),
        ({"time": "yesterday"}, "is no time"),
        ({"lsn": "12"}, "is no LSN"),
        ({"xid": "abc"}, "is no transaction id"),
        ({"name": ""}, "is no name"),
        ({"time": "2026-11-02T12:00:00Z", "immediate": True}, "--time and --immediate"),
    ],
)
def test_a_target_that_says_too_little_or_too_much_is_refused(
    options: dict[str, object], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        target_of(**options)  # type: ignore[arg-type]


def test_a_time_reaches_the_engine_in_utc() -> None:
    told = target_of(time="2026-11-02T14:00:00.25+02:00")
    assert "2026-11-02 12:00:00.250000+00" == told.value
    assert datetime(2026, 11, 2, 12, 0, 0, 250_000, UTC).timestamp() == told.at


def test_segments_are_read_from_a_repository() -> None:
    sha = "0" * 40
    listed = [
        (f"archive/main/15-1/0000000100000000/000000010000000000000002-{sha}.zst", 5.0),
        (f"archive/main/15-1/0000000100000001/0000000100000001000000FF-{sha}", 6.0),
        ("archive/main/15-1/00000002.history", 7.0),
        (f"archive/main/15-1/x/000000010000000000000003.partial-{sha}.zst", 8.0),
    ]
    assert {SegmentName(1, 2): 5.0, SegmentName(1, 511): 6.0} == stored_segments(listed)


def test_the_last_line_of_a_history_says_where_the_parent_was_left() -> None:
    text = "1\t0/5000000\tno recovery target specified\n\n2\t0/7000148\tbefore 2026-11-02\n"
    assert Fork(2, 0x7000148) == fork_of(text)
    assert fork_of("") is None


@given(lost=st.sets(st.integers(101, 129)), minute=st.integers(2, 30))
def test_a_plan_never_leads_over_a_hole(lost: set[int], minute: int) -> None:
    numbers = [n for n in range(100, 131) if n not in lost]
    try:
        made = decide(at_minute(minute), log=Log(kept(*numbers)))
    except RestoreRefusedError:
        assert lost
        return
    last = SegmentName.of(made.wal_last).number
    assert not lost & set(range(100, last + 1))
    assert last >= 99 + minute
