"""One running AnalyticBot for all tests here."""

import time
from collections.abc import Iterator

import pytest

from support.workload import PROGRAMS, Workload, start_workload


@pytest.fixture(scope="session")
def workload(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workload]:
    """Return AnalyticBot with all its processes but the traffic."""
    if not PROGRAMS.is_dir():
        pytest.fail("workload/.venv is missing: run `make env`")
    with start_workload(tmp_path_factory.mktemp("workload")) as made:
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
