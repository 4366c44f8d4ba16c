import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from abops.stack.tools import find_tool
from support.backup import Protected, give_to_owner, run_as_owner
from support.restoring import new_place


@pytest.fixture(scope="module")
def history(protected: Protected) -> Protected:
    """A database with a full set, then a row, a named point, a row."""
    base = protected.database
    base.sql("CREATE TABLE note (word text PRIMARY KEY)")
    done = protected.abops("run", "--type", "full")
    assert done.returncode == 0, done.stderr
    base.sql("INSERT INTO note VALUES ('before')")
    base.sql("SELECT pg_create_restore_point('between')")
    base.sql("INSERT INTO note VALUES ('after')")
    protected.switch()
    return protected


@pytest.fixture
def place() -> Iterator[Path]:
    with new_place() as folder:
        yield folder


def words_in(protected: Protected, place: Path) -> list[str]:
    """Start what was restored with --start's address gone: ask it, stop it."""
    programs = protected.site.cluster.programs
    address = next(line for line in (place / "postmaster.pid").read_text().splitlines()[4:5])
    asked = run_as_owner(
        *(find_tool("postgres").resolve().with_name("psql"), "-X", "-h", address, "-p", "5432"),
        *("-U", protected.site.cluster.superuser, "-d", "postgres", "-Atc"),
        "SELECT word FROM note ORDER BY word",
    )
    run_as_owner(programs / "pg_ctl", "-D", place, "-m", "fast", "stop")
    return asked.split()


def test_the_latest_point_brings_everything(history: Protected, place: Path) -> None:
    done = history.abops("restore", "--to-dir", place, "--start", "--output", "json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)[0]
    assert {"eu", "us"} == {name.strip() for name in told["log_asked_of"].split(",")}
    assert ["after", "before"] == words_in(history, place)


def test_a_named_point_brings_what_was_before_it(history: Protected, place: Path) -> None:
    done = history.abops(
        "restore", "--to-dir", place, "--name", "between", "--from", "us", "--start"
    )
    assert done.returncode == 0, done.stderr
    assert ["before"] == words_in(history, place)


def test_the_set_itself_is_what_immediate_brings(history: Protected, place: Path) -> None:
    done = history.abops("restore", "--to-dir", place, "--immediate", "--from", "eu", "--start")
    assert done.returncode == 0, done.stderr
    assert [] == words_in(history, place)


def test_a_running_or_used_folder_is_refused(history: Protected, place: Path) -> None:
    live = history.abops("restore", "--to-dir", history.database.data, "--delta")
    assert (1, True) == (live.returncode, "a server runs on" in live.stderr)
    place.mkdir()
    (place / "letter.txt").write_text("mine")
    give_to_owner(place)
    used = history.abops("restore", "--to-dir", place)
    assert (1, True) == (used.returncode, "is no cluster" in used.stderr)


def test_a_dead_region_stops_the_server_and_never_ends_the_log_early(
    history: Protected, place: Path
) -> None:
    """The engine's own restore_command would end with 1..125 here: the log's end to PostgreSQL."""
    done = history.abops("restore", "--to-dir", place, "--from", "us")
    assert done.returncode == 0, done.stderr
    script = f"cd {place} && ./abops-restore-command 0000000100000000000000FF got; echo $?"
    assert "1" == run_as_owner("sh", "-c", script).strip()
    history.regions["us"].kill()
    try:
        call = "ABOPS_LOG_DEADLINE=3 ./abops-restore-command 000000010000000000000001 got"
        script = f"cd {place} && {call}; echo $?"
        assert "126" == run_as_owner("sh", "-c", script).strip()
    finally:
        history.regions["us"].start()


def test_a_moment_after_the_last_transaction_of_the_log_is_told_with_that_transaction(
    history: Protected, place: Path
) -> None:
    history.database.sql("INSERT INTO note VALUES ('last')")
    moment = history.database.sql("SELECT clock_timestamp()")
    # Repositories count whole seconds.
    history.database.sql("SELECT pg_sleep(1.1)")
    history.switch()
    done = history.abops("restore", "--to-dir", place, "--time", moment, "--start")
    assert 1 == done.returncode
    assert "the log ends before the point that was asked for: its last transaction" in done.stderr
    assert "hint: Restore into a new folder: --time a moment before" in done.stderr
