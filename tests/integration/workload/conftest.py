"""One running AnalyticBot for all tests here."""

import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from support.workload import PROGRAMS, Workload, start_workload


@pytest.fixture(scope="session")
def workload() -> Iterator[Workload]:
    """Return AnalyticBot with all its processes but the traffic."""
    if not PROGRAMS.is_dir():
        pytest.fail("workload/.venv is missing: run `make env`")
    # Not pytest's folder: the next pytest that starts closes that one to PostgreSQL's user.
    with (
        TemporaryDirectory(prefix="abops-workload-", ignore_cleanup_errors=True) as folder,
        start_workload(Path(folder)) as made,
    ):
        yield made


@pytest.fixture
def unique() -> str:
    """Return a text that no other test posts."""
    return f"text {time.monotonic_ns()}"


@pytest.fixture(autouse=True)
def _nothing_stays_broken(workload: Workload) -> Iterator[None]:
    yield
    if workload.servers["control"].process.poll() is None:
        workload.request("POST", "control", "/faults", {"on": False})
