import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from abops.stack import logs

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
COPY = "api.log.20261124T120000Z"


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

    logs.shorten_all(tmp_path, NOON, limit_bytes=100)

    assert (0, 101) == (log.stat().st_size, (tmp_path / COPY).stat().st_size)


def test_a_log_below_the_limit_is_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    log.write_text("x" * 100)

    logs.shorten_all(tmp_path, NOON, limit_bytes=100)

    assert (100, False) == (log.stat().st_size, (tmp_path / COPY).exists())


def test_a_process_that_keeps_its_log_open_goes_on_at_the_new_end(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    with log.open("ab") as writer:
        writer.write(b"x" * 200)
        writer.flush()
        logs.shorten_all(tmp_path, NOON, limit_bytes=100)
        writer.write(b"after\n")
        writer.flush()

    assert b"after\n" == log.read_bytes()


def test_copies_stay_two_days(tmp_path: Path) -> None:
    for hours in (1, 47, 49):
        copy = tmp_path / f"api.log.2026112{4 - hours // 24}T{hours:02d}0000Z"
        copy.write_text("x")
        written = (NOON - timedelta(hours=hours)).timestamp()
        os.utime(copy, (written, written))

    logs.shorten_all(tmp_path, NOON)

    left = ["api.log.20261123T470000Z", "api.log.20261124T010000Z"]
    assert left == [path.name for path in logs.files_of(tmp_path, "api")]


def test_of_many_copies_the_newest_stay(tmp_path: Path) -> None:
    for number in range(60):
        copy = tmp_path / f"api.log.20261124T1100{number:02d}Z"
        copy.write_text("x")
        os.utime(copy, (NOON.timestamp(), NOON.timestamp()))
    (tmp_path / "api.log").write_text("now")

    logs.shorten_all(tmp_path, NOON)

    files = [path.name for path in logs.files_of(tmp_path, "api")]
    assert (51, "api.log.20261124T110010Z", "api.log") == (len(files), files[0], files[-1])


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
