"""The cores that a process may use, from files as the kernel writes them."""

import os
from pathlib import Path

import pytest

from abops.stack.cpu import cpu_limit_cores

CORES = len(os.sched_getaffinity(0))


def limit(folder: Path, groups: str, files: dict[str, str]) -> float:
    """Return our limit, were we in these groups."""
    processes, cgroups = folder / "proc", folder / "cgroup"
    for path, text in {
        processes / str(os.getpid()) / "cgroup": groups,
        **{cgroups / name: text for name, text in files.items()},
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return cpu_limit_cores(os.getpid(), processes=processes, cgroups=cgroups)


FIRST = {"cpu/part/cpu.cfs_quota_us": "25000\n", "cpu/part/cpu.cfs_period_us": "100000\n"}


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        pytest.param("0::/part\n", {"part/cpu.max": "50000 100000\n"}, 0.5, id="its own quota"),
        pytest.param("0::/part\n", {"part/cpu.max": "max 100000\n"}, CORES, id="no quota"),
        pytest.param(
            "0::/slice/part\n",
            {"slice/cpu.max": "20000 100000\n", "slice/part/cpu.max": "90000 100000\n"},
            0.2,
            id="an outer quota binds",
        ),
        pytest.param("0::/gone\n", {"cpu.max": "75000 100000\n"}, 0.75, id="a container's root"),
        pytest.param("3:cpu,cpuacct:/part\n", FIRST, 0.25, id="first generation"),
        pytest.param(
            "2:cpuset:/\n1:cpu:/part\n0::/\n",
            FIRST | {"cpu/part/cpu.cfs_quota_us": "-1\n"},
            CORES,
            id="first generation without a quota",
        ),
        pytest.param("0::/\n", {"cpu.max": "9900000 100000\n"}, CORES, id="more than there is"),
    ],
)
def test_the_smallest_limit_counts(
    tmp_path: Path, groups: str, files: dict[str, str], expected: float
) -> None:
    assert expected == limit(tmp_path, groups, files)


def test_a_process_that_has_ended_has_the_machines_cores(tmp_path: Path) -> None:
    assert os.cpu_count() == cpu_limit_cores(2**22 + 1, processes=tmp_path, cgroups=tmp_path)
