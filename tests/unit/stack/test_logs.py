import threading
from pathlib import Path

import pytest

from abops.stack import logs


@pytest.mark.parametrize(
    ("text", "count", "expected"),
    [
        ("", 3, []),
        ("a\nb\nc\n", 2, ["b", "c"]),
        ("a\nb\nc", 2, ["b", "c"]),
        ("a\n", 5, ["a"]),
        ("a\nb\n", 0, []),
    ],
)
def test_last_lines(tmp_path: Path, text: str, count: int, expected: list[str]) -> None:
    log = tmp_path / "api.log"
    log.write_text(text)

    assert expected == logs.last_lines(log, count)


def test_last_lines_of_a_log_longer_than_one_block(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    log.write_text("".join(f"{number:09d}\n" for number in range(30_000)))

    assert [f"{n:09d}" for n in range(15_000, 30_000)] == logs.last_lines(log, 15_000)


def test_a_log_that_is_not_there_has_no_lines(tmp_path: Path) -> None:
    assert [] == logs.last_lines(tmp_path / "none.log", 5)


def test_a_log_over_the_limit_is_cut_and_its_content_kept_once(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    log.write_text("x" * 101)

    logs.shorten_all(tmp_path, limit_bytes=100)

    assert (0, 101) == (log.stat().st_size, (tmp_path / "api.log.1").stat().st_size)


def test_a_log_below_the_limit_is_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    log.write_text("x" * 100)

    logs.shorten_all(tmp_path, limit_bytes=100)

    assert (100, False) == (log.stat().st_size, (tmp_path / "api.log.1").exists())


def test_a_process_that_keeps_its_log_open_goes_on_at_the_new_end(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    with log.open("ab") as writer:
        writer.write(b"x" * 200)
        writer.flush()
        logs.shorten_all(tmp_path, limit_bytes=100)
        writer.write(b"after\n")
        writer.flush()

    assert b"after\n" == log.read_bytes()


def test_following_a_log_that_was_cut_reads_it_from_its_start(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    log.write_text("old\n")
    lines = logs.follow(log)
    writer = threading.Timer(0.1, _append, (log, "more\n"))
    writer.start()
    assert "more\n" == next(lines)
    writer.join()
    log.write_text("new\n")

    assert "new\n" == next(lines)


def _append(log: Path, text: str) -> None:
    with log.open("a") as writer:
        writer.write(text)
