"""Killed under load: the crash benchmark in its small form. It keeps a store of its own, SQLite."""

import json
import subprocess
import sys

import pytest

from support.alerts import ROOT


@pytest.mark.slow
def test_nothing_is_lost_when_it_is_killed_under_load() -> None:
    script = ROOT / "benchmarks" / "crash" / "run.py"
    argv = [sys.executable, str(script), "--kills", "2", "--store", "sqlite", "--output", "json"]
    ended = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
    result = json.loads(ended.stdout)["sqlite"]
    assert (0, 0, True) == (ended.returncode, result["lost"], result["passed"])
