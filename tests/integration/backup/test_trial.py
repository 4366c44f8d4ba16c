"""`abops backup run --test`: the whole way on things thrown away, and nothing left of them."""

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from abops.kernel.clock import SystemClock
from abops.workflows import backup_trial
from support.backup import ABOPS, ROOT
from support.servers import wait_until

WITHIN_S = 60.0


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder of temporary files that nobody else uses; the database's user can reach it."""
    with tempfile.TemporaryDirectory(prefix="abops-trial-") as name:
        folder = Path(name)
        folder.chmod(0o1777)
        yield folder


def environment(place: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(place)}


def test_the_whole_way_in_a_minute_and_nothing_is_left(place: Path) -> None:
    began = time.monotonic()
    script = [ROOT / "scripts" / "backup-system.sh", "--test", "--output", "json"]
    done = subprocess.run(
        script, check=False, capture_output=True, text=True, env=environment(place)
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    assert time.monotonic() - began < WITHIN_S
    steps = [(one["step"], one["outcome"]) for one in json.loads(done.stdout)]
    assert [(name, "ok") for name in backup_trial.STEPS] == steps
    assert [] == list(place.iterdir())


def test_who_ends_it_leaves_nothing_either(place: Path) -> None:
    process = subprocess.Popen(
        [ABOPS, "backup", "run", "--test"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment(place),
    )
    wait_until(lambda: bool(list(place.glob("abops-db-*/data/base"))), what="a database")
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=WITHIN_S)
    assert (1, True) == (process.returncode, "it was ended from outside" in errors), errors
    assert [] == list(place.iterdir())


async def test_after_a_step_that_failed_no_other_is_tried_and_all_is_cleared_away(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    @contextmanager
    def no_regions(*_names: str) -> Iterator[dict[str, object]]:
        raise backup_trial.TrialError("no ports are free")
        yield {}

    monkeypatch.setattr(backup_trial, "throw_away_regions", no_regions)
    steps = await backup_trial.trial(tmp_path, SystemClock())
    outcomes: Sequence[str] = [one.outcome for one in steps]
    assert ["failed", *["not tried"] * 5, "ok"] == outcomes
    assert "no ports are free" == steps[0].detail
