from pathlib import Path

import pytest

from abops_instrument import processes
from abops_instrument.processes import MultipleProcessesError, require_one_process


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WEB_CONCURRENCY", raising=False)
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    monkeypatch.setattr(processes.sys, "argv", ["uvicorn", "apps.api.main:app"])


@pytest.mark.parametrize("arguments", [["--workers", "1"], ["--workers=1"], ["--workers"], []])
def test_one_process_may_serve(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes.sys, "argv", ["uvicorn", "app", *arguments])
    require_one_process()


@pytest.mark.parametrize("arguments", [["--workers", "4"], ["--workers=4"]])
def test_several_are_refused_with_the_way_out(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes.sys, "argv", ["uvicorn", "app", *arguments])
    with pytest.raises(MultipleProcessesError, match=r"4 processes.*PROMETHEUS_MULTIPROC_DIR"):
        require_one_process()


def test_the_environment_counts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "2")
    with pytest.raises(MultipleProcessesError):
        require_one_process()


def test_several_that_add_up_may_serve(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "2")
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    require_one_process()
