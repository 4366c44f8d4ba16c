"""What the benchmarks of backups share: protected databases, what a call costs, the machine.

Regions and databases are those of the tests, real ones on this machine. Cost is wall time, and
beside it the CPU seconds of who was called and of the servers, for the machine may be busy.
"""

import os
import re
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from abops.kernel.clock import SystemClock  # noqa: E402 - found by the line above
from support import backup  # noqa: E402 - as above
from support.backup import (  # noqa: E402 - as above
    Protected,
    RegionServer,
    give_to_owner,
    protect,
    start_regions,
)

sys.path.insert(0, str(Path(__file__).parent))

from costs import Cost  # noqa: E402 - the folder of this file

MIB = 2**20
_TICKS = os.sysconf("SC_CLK_TCK")
_CLOCK = SystemClock()


@contextmanager
def regions_of(*names: str) -> Iterator[dict[str, RegionServer]]:
    """Run regions; commands see an inventory in which each speaks S3."""
    folder = Path(tempfile.mkdtemp(prefix="abops-bench-"))
    folder.chmod(0o755)
    try:
        (folder / "regions").mkdir()
        text = (ROOT / "platform.yaml").read_text()
        # The inventory's Azure becomes a third region.
        third = "{type: s3, bucket: b, endpoint: h, region: ap, credentials: backup-ap}"
        (folder / "platform.yaml").write_text(
            re.sub(r"(?m)^    azure: .*$", f"    ap: {third}", text)
        )
        # Commands read the inventory of the folder they are called in.
        backup.ROOT = folder
        with start_regions(folder / "regions", *names) as regions:
            yield regions
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def destinations(*names: str) -> Iterator[Protected]:
    """Protect a database in regions of these names."""
    with regions_of(*names) as regions, protect(regions) as protected:
        yield protected


def several_repositories(protected: Protected, names: Sequence[str]) -> Path:
    """Write one configuration with all destinations, as pgBackRest itself would have it."""
    first, *others = (protected.config(name).read_text() for name in names)
    head, _, cluster = first.partition(f"[{protected.site.stanza}]")
    for number, text in enumerate(others, 2):
        options = re.findall(r"(?m)^repo1-.*$", text)
        head += "".join(re.sub("^repo1", f"repo{number}", one) + "\n" for one in options)
    path = protected.home.folder / "several.conf"
    path.write_text(f"{head}[{protected.site.stanza}]{cluster}")
    path.chmod(0o600)
    give_to_owner(path)
    return path


def measured(call: Callable[[], object], servers: Callable[[], float]) -> Cost:
    """Return what a call cost: `servers` tells the CPU seconds that servers had used so far."""
    own, theirs, began = _own_cpu(), servers(), _CLOCK.monotonic()
    call()
    return Cost(_CLOCK.monotonic() - began, _own_cpu() - own, servers() - theirs)


def servers_of(protected: Protected) -> Callable[[], float]:
    """Return a meter of the database's and the regions' CPU seconds."""

    def read() -> float:
        processes = [protected.database.process]
        processes += [region.process for region in protected.regions.values()]
        return sum(tree_cpu(one.pid) for one in processes if one is not None)

    return read


def tree_cpu(pid: int) -> float:
    """Return the CPU seconds of a process, its living children, and those it waited for."""
    try:
        own = _stat(pid)
    except OSError:
        return 0.0
    ticks = sum(int(word) for word in own[11:15])
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        try:
            ticks += sum(int(word) for word in _stat(int(child))[11:13])
        except OSError:
            continue
    return ticks / _TICKS


def machine() -> dict[str, object]:
    """Return the state of the machine, which figures depend on."""
    memory = dict(
        re.findall(r"(?m)^(MemTotal|MemAvailable):\s+(\d+)", Path("/proc/meminfo").read_text())
    )
    pressure = re.search(r"avg60=([\d.]+)", Path("/proc/pressure/cpu").read_text())
    return {
        "cores": os.cpu_count(),
        # Part of the last minute in which somebody waited for a core.
        "cpu_waited_for_percent": float(pressure[1]) if pressure else None,
        "load": [round(one, 1) for one in os.getloadavg()],
        "memory_gib": round(int(memory["MemTotal"]) / MIB, 1),
        "available_gib": round(int(memory["MemAvailable"]) / MIB, 1),
        "disk_free_gib": round(shutil.disk_usage(tempfile.gettempdir()).free / 2**30, 1),
    }


def _own_cpu() -> float:
    """Return the CPU seconds of this process and of all that it started and waited for."""
    found = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in found)


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
