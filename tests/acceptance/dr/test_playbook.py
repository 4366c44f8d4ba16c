"""The playbook's own lines, read from the page, on real clusters with two regions."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from abops.workflows.recovery.playbook import PAGE, PlaybookError, read_playbook
from support.backup import ABOPS, ROOT, Protected, RegionServer, protect

PLAYBOOK = read_playbook((ROOT / PAGE).read_text())


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Any]:
    """Rehearse four scenarios by one command; return what its evidence says of each."""
    folder = tmp_path_factory.mktemp("evidence")
    words = [word for number in (1, 2, 3, 4) for word in ("--scenario", str(number))]
    done = subprocess.run(
        [ABOPS, "recovery", "drill", *words, "--report-dir", folder],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=600,
    )
    print(done.stdout)  # noqa: T201 - the figures
    (evidence,) = folder.glob("*.json")
    report = json.loads(evidence.read_bytes())
    assert evidence.with_suffix(".html").is_file()
    assert evidence.with_suffix(".md").is_file()
    # What was not run is not met, and the exit code says so.
    assert 1 == done.returncode, done.stdout + done.stderr
    return {one["number"]: one for one in report["scenarios"]}


def claims(one: dict[str, Any]) -> dict[str, str]:
    return {check["claim"]: check["outcome"] for check in one["checks"]}


EQUAL = {
    "every table as it was, row by row": "passed",
    "takes writes": "passed",
    "nothing of later is there": "passed",
}


@pytest.mark.slow
def test_a_corrupted_database_comes_back_row_by_row(rehearsed: dict[int, Any]) -> None:
    one = rehearsed[1]
    assert ("met", "") == (one["outcome"], one["reason"])
    assert list(PLAYBOOK[1].lines) == [step["line"] for step in one["steps"]]
    assert EQUAL | {
        "the old server ended in order": "passed",
        "the old folder is kept": "passed",
        "the new timeline and its history are archived": "passed",
    } == claims(one)
    assert (8, 150_011) == (one["tables"], one["rows"])


@pytest.mark.slow
def test_what_needs_a_cluster_was_not_run_and_is_not_met(rehearsed: dict[int, Any]) -> None:
    assert "not run" == rehearsed[2]["outcome"]
    assert rehearsed[2]["reason"].startswith("no cluster")


@pytest.mark.slow
def test_from_the_object_stores_and_the_key_everything_comes_back(
    rehearsed: dict[int, Any],
) -> None:
    one = rehearsed[3]
    assert ("met", "") == (one["outcome"], one["reason"])
    assert EQUAL == claims(one)
    assert (8, 146_011) == (one["tables"], one["rows"])
    assert 5.0 <= one["rpo_s"] <= one["rpo_target_s"]


@pytest.mark.slow
def test_a_lost_region_is_given_up_and_taken_back_once_it_has_caught_up(
    rehearsed: dict[int, Any],
) -> None:
    one = rehearsed[4]
    assert ("met", "") == (one["outcome"], one["reason"])
    lines = [*PLAYBOOK[4].lines, *PLAYBOOK[4].back]
    assert lines == [step["line"] for step in one["steps"]]
    assert EQUAL | {
        "the applications' secret leads to the new server": "passed",
        "the lost region is asked no more": "passed",
        "before it has caught up it is not taken back": "passed",
        "after the failback all is as it was declared": "passed",
    } == claims(one)


@pytest.mark.slow
def test_every_destination_meets_the_targets_at_the_latest_point_and_at_a_moment(
    regions: dict[str, RegionServer],
) -> None:
    for region in regions.values():
        region.ensure()
    # Within the patience of a test: production sends its log every 60 s.
    with protect(regions, archive_timeout="5s") as protected:
        protected.archive_directly("eu", "us")
        protected.database.fill()
        assert protected.abops("run", "--type", "full").returncode == 0
        done = follow(protected, PLAYBOOK[5].lines)
        assert done.returncode == 0, done.stdout + done.stderr
        print(done.stdout)  # noqa: T201 - the figures
        assert 4 == done.stdout.count("success")
        assert 4 == len([*protected.home.drills.glob("*.html")])
        (report,) = (protected.home.drills / "reports").glob("*.json")
        (one,) = json.loads(report.read_bytes())["scenarios"]
        assert ("met", 4) == (one["outcome"], len(one["drills"]))


def follow(protected: Protected, lines: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """Run lines of the playbook as they stand; the first that fails ends it."""
    path = f"{ABOPS.parent}:{os.environ['PATH']}"
    home = str(protected.home.folder)
    return subprocess.run(
        ["/bin/bash", "-euc", "\n".join(lines)],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": path, "ABOPS_BACKUP_HOME": home},
        cwd=ROOT,
        timeout=280,
    )


def test_every_scenario_has_lines_and_a_cost() -> None:
    assert [1, 2, 3, 4, 5] == list(PLAYBOOK)
    assert all(one.lines[0].startswith("abops ") for one in PLAYBOOK.values())
    costs = {number: (one.rto_s, one.rpo_s) for number, one in PLAYBOOK.items() if one.rto_s}
    assert {
        1: (3_600.0, 300.0),
        2: (3_600.0, 0.0),
        3: (14_400.0, 300.0),
        4: (7_200.0, 300.0),
    } == costs
    assert PLAYBOOK[4].back[-1] == 'abops backup failback "$LOST"'


def test_a_page_without_commands_is_an_error_and_no_empty_rehearsal() -> None:
    with pytest.raises(PlaybookError):
        read_playbook("## Scenario 1: fire\n\nRun.\n")
    with pytest.raises(PlaybookError):
        read_playbook(Path(__file__).read_text())
