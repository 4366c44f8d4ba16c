import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.backup import ABOPS, Protected


def drill(filled: Protected, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ABOPS, "recovery", "drill", "--home", str(filled.home.folder), "--hurry", *words],
        env={**os.environ, **environment},
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


@pytest.fixture
def temporary() -> Iterator[Path]:
    """Give a temporary folder that nobody else uses, with a path short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="abops-t-") as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


def test_a_drill_restores_compares_measures_and_leaves_evidence_only(
    filled: Protected, temporary: Path
) -> None:
    done = drill(filled, "--destination", "us", "--kind", "time", TMPDIR=str(temporary))
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
    assert [] == list(temporary.iterdir())


def test_a_drill_of_the_latest_point_says_what_would_be_lost(filled: Protected) -> None:
    done = drill(filled, "--destination", "eu", "--kind", "latest")
    assert done.returncode == 0, done.stderr
