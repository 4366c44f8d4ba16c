"""The identity of a line, and the lines of a file."""

import platform
from pathlib import Path

import pytest

from abops.observability.logs.identity import Line, document_id, hash64, read_lines
from abops.observability.logs.rsyslog import MAX_LINE_BYTES


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"a", 177604),
        (b'{"d":4}', 229404663761481),
        (b"   indented", -4784625051144792424),
    ],
)
def test_the_hash_is_the_one_that_rsyslog_prints(text: bytes, expected: int) -> None:
    assert expected == hash64(text)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="recorded where char has a sign")
def test_the_hash_of_bytes_beyond_ascii() -> None:
    assert 6974690811886771567 == hash64(b"latin \xe9 text")


def test_a_file_cut_and_written_anew_gives_other_identities() -> None:
    assert document_id("api", Line(0, b"one")) != document_id("api", Line(0, b"two"))
    assert document_id("api", Line(0, b"one")) != document_id("bot", Line(0, b"one"))
    assert document_id("api", Line(0, b"one")) != document_id("api", Line(9, b"one"))


def test_lines_have_the_place_of_their_first_byte_and_empty_ones_are_none(tmp_path: Path) -> None:
    file = tmp_path / "api.log"
    file.write_bytes("é\n\nb\nhalf".encode())
    assert [Line(0, "é".encode()), Line(4, b"b")] == list(read_lines(file))


def test_the_end_of_a_file_begins_with_a_whole_line(tmp_path: Path) -> None:
    file = tmp_path / "api.log"
    file.write_bytes(b"one\ntwo\nthree\n")
    assert [Line(8, b"three")] == list(read_lines(file, last_bytes=8))
    assert [0, 4, 8] == [line.offset for line in read_lines(file, last_bytes=99)]


def test_a_line_that_is_too_long_is_cut_as_the_shipper_cuts_it(tmp_path: Path) -> None:
    file = tmp_path / "api.log"
    file.write_bytes(b"x" * (MAX_LINE_BYTES + 5) + b"\nb\n")
    first, second = read_lines(file)
    assert (MAX_LINE_BYTES, MAX_LINE_BYTES + 6) == (len(first.text), second.offset)
