"""Names of archived files, and segments that are not what their names say."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abops.backup.model import SegmentName
from abops.backup.wal.names import Archived, kind_of, mismatch, read_header

SIZE = 16 * 2**20
numbers = st.integers(0, 2**40 - 1)
timelines = st.integers(1, 2**32 - 1)
sizes = st.sampled_from([2**20, SIZE, 2**30])


def a_header(*, timeline: int = 1, address: int, size: int = SIZE, info: int = 2) -> bytes:
    return struct.pack("=HHIQI4xQII", 0xD110, info, timeline, address, 0, 42, size, 8192)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("000000010000000000000001", Archived.SEGMENT),
        ("00000001000000000000000A.partial", Archived.PARTIAL),
        ("000000010000000000000002.00000028.backup", Archived.LABEL),
        ("00000002.history", Archived.HISTORY),
        ("00000001000000000000000a", None),
        ("000000010000000000000001\n", None),
        ("../000000010000000000000001", None),
        ("000000010000000000000001.ready", None),
        ("00000001000000000000000", None),
        ("0000000G.history", None),
        ("", None),
    ],
)
def test_only_names_of_postgresql_are_accepted(name: str, kind: Archived | None) -> None:
    assert kind == kind_of(name)


@given(st.text(max_size=60))
def test_no_other_text_is_a_name(text: str) -> None:
    if kind_of(text) is not None:
        assert set(text) <= set("0123456789ABCDEFabcdehikloprstuy.")
        assert "/" not in text


@given(timelines, numbers, sizes)
def test_a_segment_fits_its_name(timeline: int, number: int, size: int) -> None:
    number %= 2**64 // size
    name = SegmentName(timeline, number).file_name(size)
    if len(name) == 24:
        begin = a_header(timeline=timeline, address=number * size, size=size)
        assert not mismatch(name, begin, size)
        assert not mismatch(f"{name}.partial", begin, size)


@given(numbers, numbers)
def test_a_recycled_segment_never_passes_under_its_old_name(old: int, new: int) -> None:
    old, new = old % 2**30, new % 2**30
    begin = a_header(address=new * SIZE)
    assert (old == new) == (not mismatch(SegmentName(1, old).file_name(), begin, SIZE))


def test_the_first_segment_of_a_timeline_begins_with_the_one_before() -> None:
    name = SegmentName(3, 7).file_name()
    assert not mismatch(name, a_header(timeline=2, address=7 * SIZE), SIZE)
    assert "timeline 4" in mismatch(name, a_header(timeline=4, address=7 * SIZE), SIZE)
    assert "timeline 0" in mismatch(name, a_header(timeline=0, address=7 * SIZE), SIZE)


@pytest.mark.parametrize(
    "begin", [b"", bytes(40), b"x" * 40, a_header(address=SIZE, info=0), a_header(address=0)[:39]]
)
def test_what_does_not_begin_like_a_segment_is_refused(begin: bytes) -> None:
    assert read_header(begin) is None
    assert "header" in mismatch(SegmentName(1, 1).file_name(), begin, SIZE)


def test_half_a_segment_is_refused() -> None:
    begin = a_header(address=SIZE)
    assert f"has {SIZE - 1} bytes" in mismatch(SegmentName(1, 1).file_name(), begin, SIZE - 1)


def test_labels_and_histories_have_no_pages() -> None:
    assert not mismatch("00000002.history", b"1\t0/5000000\tno recovery target", 30)
    assert not mismatch("000000010000000000000002.00000028.backup", b"START WAL", 9)


@given(st.binary(max_size=64), st.integers(0, 2**31))
def test_any_bytes_are_judged_without_failing(begin: bytes, size: int) -> None:
    assert isinstance(mismatch("000000010000000000000001", begin, size), str)
