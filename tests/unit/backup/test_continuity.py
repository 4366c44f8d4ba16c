from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from abops.backup.model import SegmentName
from abops.backup.postgres.log_files import Fork, fork_of, histories_of, timeline_of
from abops.backup.verify.continuity import (
    Gap,
    Stretch,
    gaps_in,
    hashes_of,
    stretches,
)

SEGMENT = 16 * 2**20
FOLDER = "archive/main/15-1/0000000100000000"


def on(timeline: int, *numbers: int) -> list[SegmentName]:
    return [SegmentName(timeline, number) for number in numbers]


def holes(starts: list[SegmentName], present: list[SegmentName], **known: object) -> list[Gap]:
    forks = known.pop("forks", {})
    needed = stretches(starts, present, forks, **known)  # type: ignore[arg-type]
    return list(gaps_in(needed, present))


def test_names_in_a_listing_are_segments_and_histories_and_nothing_else() -> None:
    one, two = "0000000100000000000000A1", "0000000100000000000000A2"
    paths = [
        f"{FOLDER}/{one}-{'a' * 40}.zst",
        f"{FOLDER}/{two}-{'b' * 40}",
        f"{FOLDER}/{two}-{'c' * 40}.gz",
        f"{FOLDER}/{one}.00000028.backup",
        f"{FOLDER}/{one}.partial-{'d' * 40}.zst",
        "archive/main/15-1/00000002.history",
        "archive/main/archive.info",
    ]
    assert {one: {"a" * 40}, two: {"b" * 40, "c" * 40}} == hashes_of(paths)
    assert ("archive/main/15-1/00000002.history",) == histories_of(paths)
    assert 2 == timeline_of("archive/main/15-1/00000002.history")


def test_a_history_says_where_its_timeline_left_the_parent() -> None:
    text = "1\t0/5000110\tno recovery target specified\n\n2\t1/A0000000\tbefore 2026-01-01\n"
    assert Fork(2, 0x1A0000000) == fork_of(text)
    assert fork_of("\n") is None


def test_numbers_go_on_from_one_log_to_the_next() -> None:
    last = SegmentName.of("0000000100000001000000FF")
    assert SegmentName.of("000000010000000200000000") == SegmentName(1, last.number + 1)
    present = [last, SegmentName(1, last.number + 1)]
    assert [] == holes([last], present)


def test_segments_of_another_size_have_other_numbers() -> None:
    big = 2**30  # four to a log
    last = SegmentName.of("000000010000000100000003", big)
    assert SegmentName.of("000000010000000200000000", big) == SegmentName(1, last.number + 1)
    assert "000000010000000200000000" == SegmentName(1, last.number + 1).file_name(big)


def test_seven_segments_in_a_row_are_one_hole() -> None:
    present = on(1, 2, 3, 4, 12, 13)
    found = holes(on(1, 2), present)
    assert [Gap(*on(1, 5, 11))] == found
    assert 7 == found[0].count
    assert "000000010000000000000005..00000001000000000000000B" == found[0].name()
    assert "000000010000000000000005" == Gap(*on(1, 5, 5)).name()


def test_what_is_older_than_every_set_is_not_missed() -> None:
    assert [] == holes(on(1, 9, 20), on(1, 3, *range(9, 25)))


def test_a_hole_at_the_end_is_seen_by_what_the_server_handed_over() -> None:
    present = on(1, 2, 3, 4)
    assert [] == holes(on(1, 2), present)
    assert [Gap(*on(1, 5, 6))] == holes(on(1, 2), present, until=SegmentName(1, 6))


def test_a_destination_without_any_log_lacks_all_of_it() -> None:
    assert [Gap(*on(1, 2, 6))] == holes(on(1, 2), [], until=SegmentName(1, 6))


def test_a_promoted_database_goes_on_with_the_childs_segments() -> None:
    forks = {2: Fork(1, 5 * SEGMENT + 77)}
    present = [*on(1, 2, 3, 4), *on(2, 5, 6, 7)]
    assert [] == holes(on(1, 2), present, forks=forks, until=SegmentName(2, 7))
    lacking = [*on(1, 2, 3), *on(2, 6, 7)]
    expected = [Gap(*on(1, 4, 4)), Gap(*on(2, 5, 5))]
    assert expected == holes(on(1, 2), lacking, forks=forks, until=SegmentName(2, 7))


def test_what_the_parent_wrote_after_the_fork_is_not_needed() -> None:
    forks = {2: Fork(1, 5 * SEGMENT)}
    present = [*on(1, 2, 3, 4, 9), *on(2, 5, 6)]
    assert [] == holes(on(1, 2), present, forks=forks)


def test_two_promotions_from_the_same_parent_need_it_up_to_the_later() -> None:
    forks = {2: Fork(1, 4 * SEGMENT), 3: Fork(1, 7 * SEGMENT)}
    present = [*on(1, 2, 3, 4, 6), *on(2, 4, 5), *on(3, 7, 8)]
    assert [Gap(*on(1, 5, 5))] == holes(on(1, 2), present, forks=forks)


def test_a_set_of_the_child_needs_nothing_of_the_parent() -> None:
    forks = {2: Fork(1, 5 * SEGMENT)}
    assert [] == holes(on(2, 6), on(2, 6, 7), forks=forks)


@given(
    st.integers(0, 2**20),
    st.sets(st.integers(0, 60)),
    st.integers(1, 60),
)
def test_exactly_what_was_taken_away_is_found(start: int, taken: set[int], length: int) -> None:
    whole = on(1, *range(start, start + length + 1))
    lost = {whole[index] for index in taken if 0 < index < length}  # the ends stay
    present = [name for name in whole if name not in lost]
    found = holes([whole[0]], present)
    assert lost == {
        SegmentName(1, number)
        for gap in found
        for number in range(gap.first.number, gap.last.number + 1)
    }
    assert len(lost) == sum(gap.count for gap in found)
    # holes do not touch: each is as long as it can be
    assert all(b.first.number - a.last.number > 1 for a, b in pairwise(found))


def test_stretches_name_what_is_needed() -> None:
    forks = {2: Fork(1, 5 * SEGMENT)}
    needed = stretches(on(1, 2), on(1, 2), forks, until=SegmentName(2, 8))
    assert (Stretch(1, 2, 4), Stretch(2, 5, 8)) == needed
