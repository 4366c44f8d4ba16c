import json
import subprocess
from pathlib import Path

import pytest

from support.backup import ABOPS, Protected


def drill(filled: Protected, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ABOPS, "recovery", "drill", "--home", str(filled.home.folder), "--hurry", *words],
        check=False,
        capture_output=True,
        text=True,
        timeout=200,
    )


@pytest.fixture(scope="module")
def filled(protected: Protected) -> Protected:
    """A database with a full set in both regions."""
    protected.database.fill()
    done = protected.abops("run", "--type", "full")
    assert done.returncode == 0, done.stderr
    return protected


def leftovers() -> set[Path]:
    return {*Path("/tmp").glob("abops-drill-*"), *Path("/tmp").glob("abops-restored-*")}  # noqa: S108


def test_a_drill_restores_compares_measures_and_leaves_evidence_only(filled: Protected) -> None:
    before = leftovers()
    done = drill(filled, "--destination", "us", "--kind", "time")
    assert done.returncode == 0, done.stderr
    (path,) = filled.home.drills.glob("*-us-time-*.json")
    evidence = json.loads(path.read_bytes())
    outcomes = {one["claim"]: one["outcome"] for one in evidence["checks"]}
    assert {"passed", "skipped"} == set(outcomes.values())
    assert "skipped" == outcomes.pop("Alembic revision is known")
    assert {"provision", "fetch", "replay", "promote", "checks"} == evidence["phases"].keys()
    assert 0 <= evidence["rpo_s"] < 60
    assert evidence["tables"] >= 4
    assert path.with_suffix(".html").is_file()
    assert set() == leftovers() - before


def test_a_drill_of_the_latest_point_says_what_would_be_lost(filled: Protected) -> None:
    done = drill(filled, "--destination", "eu", "--kind", "latest")
    assert done.returncode == 0, done.stderr
