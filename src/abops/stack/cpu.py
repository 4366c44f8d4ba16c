"""How many cores a process may use: what its control group allows, or all that it may run on.

Both generations of control groups are read. A quota of an outer group binds the inner ones, so
the smallest on the way up counts. In a container the path of the first generation is the host's,
which is not there; the group then is the mounted root.
"""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

CGROUPS = Path("/sys/fs/cgroup")
PROCESSES = Path("/proc")


def cpu_limit_cores(pid: int, *, processes: Path = PROCESSES, cgroups: Path = CGROUPS) -> float:
    """Return the limit of a process in cores; a process that has ended has the machine's."""
    return min([_runnable_on(pid), *_quotas(pid, processes, cgroups)])


def _runnable_on(pid: int) -> float:
    try:
        return len(os.sched_getaffinity(pid))
    except OSError:
        return os.cpu_count() or 1


def _quotas(pid: int, processes: Path, cgroups: Path) -> Iterator[float]:
    try:
        groups = (processes / str(pid) / "cgroup").read_text(encoding="utf-8")
    except OSError:
        return
    for line in groups.splitlines():
        _number, controllers, path = line.split(":", maxsplit=2)
        if not controllers:
            read, mount = _second_generation, cgroups
        elif "cpu" in controllers.split(","):
            read, mount = _first_generation, cgroups / "cpu"
        else:
            continue
        group = PurePosixPath(path)
        for place in (group, *group.parents):
            quota = read(mount / place.relative_to("/"))
            if quota is not None:
                yield quota


def _second_generation(group: Path) -> float | None:
    quota, period = _words(group / "cpu.max", count=2)
    return None if quota in {"", "max"} else int(quota) / int(period)


def _first_generation(group: Path) -> float | None:
    (quota,) = _words(group / "cpu.cfs_quota_us", count=1)
    (period,) = _words(group / "cpu.cfs_period_us", count=1)
    return None if not quota or int(quota) < 0 else int(quota) / int(period)


def _words(file: Path, *, count: int) -> list[str]:
    try:
        words = file.read_text(encoding="utf-8").split()
    except OSError:
        words = []
    return words if len(words) == count else [""] * count
