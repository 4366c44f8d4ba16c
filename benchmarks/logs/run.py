"""How long log lines take from their files to a search, and what it costs: the real path.

rsyslog ships to OpenSearch through the masking pipeline; a line in the middle is then found by
its trace, and the files are compared with the store. CPU is that of the processes, from /proc.
"""

import argparse
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from abops.clients.opensearch import LogStoreError  # noqa: E402
from abops.observability.logs.search import Query  # noqa: E402
from abops.observability.logs.streams import stream_of  # noqa: E402
from abops.workflows.logs import find, reconcile  # noqa: E402
from support.console import NOON  # noqa: E402
from support.logs import INVENTORY, Shipper, Store, start_store  # noqa: E402
from support.servers import Server  # noqa: E402

GOAL_CPU_MS_PER_LINE = 0.5
"""Of the shipper and the store together, the store still warming up."""
GOAL_FIND_S = 1.0
LOOK_EVERY_S = 0.5
GIVE_UP_S = 300.0
TICKS = os.sysconf("SC_CLK_TCK")


def write_lines(shipper: Shipper, count: int) -> str:
    """Write lines as the API does; return the trace of the one in the middle."""
    lines = [
        {
            "@timestamp": f"2026-11-24T11:{n // 1000 % 60:02d}:{n % 60:02d}.{n % 1000:03d}Z",
            "log.level": "info",
            "message": f"GET /api/v1/channels/{{channel_id}} 200 in {n % 97} ms",
            "service.name": "analyticbot-api",
            "service.version": "4.6.0",
            "service.environment": "local",
            "event.dataset": "api.access",
            "event.duration": 5_000_000 + n,
            "http.route": "/api/v1/channels/{channel_id}",
            "http.response.status_code": 200,
            "trace.id": f"{n:032x}",
            "span.id": f"{n:016x}",
        }
        for n in range(count)
    ]
    shipper.write(*lines)
    return str(lines[count // 2]["trace.id"])


def cpu_s(server: Server) -> float:
    """Return the CPU seconds that a process has used."""
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def rss_mib(server: Server) -> int:
    """Return the memory that a process holds now."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) // 1024


def measure(folder: Path, count: int) -> dict[str, Any]:
    """Ship `count` lines once, and return what it took."""
    with start_store(folder / "store") as store:
        warm = Shipper(store, folder / "warm")
        write_lines(warm, 1000)
        with warm.running():
            store.await_lines(warm.env, 1000)
        shipper = Shipper(store, folder / "measured")
        trace = write_lines(shipper, count)
        if store.server is None:
            raise RuntimeError("the store does not run")
        store_before, began = cpu_s(store.server), time.monotonic()
        with shipper.running() as rsyslog:
            await_all(store, shipper, count)
            shipped_s = time.monotonic() - began
            ship_cpu, store_cpu = cpu_s(rsyslog), cpu_s(store.server) - store_before
            result = {
                "lines": count,
                "ship_s": round(shipped_s, 2),
                "rsyslog_cpu_s": round(ship_cpu, 2),
                "store_cpu_s": round(store_cpu, 2),
                "cpu_ms_per_line": round(1000 * (ship_cpu + store_cpu) / count, 3),
                "rsyslog_rss_mib": rss_mib(rsyslog),
                "store_rss_mib": rss_mib(store.server),
            }
        return result | look_up(store, shipper, trace)


def await_all(store: Store, shipper: Shipper, count: int) -> None:
    """Wait until all lines can be found; looked at rarely, as each look costs the store."""
    stream = stream_of(INVENTORY, "api", shipper.env)
    deadline = time.monotonic() + GIVE_UP_S
    while time.monotonic() < deadline:
        time.sleep(LOOK_EVERY_S)
        with contextlib.suppress(LogStoreError):  # the index is being made
            store.client.refresh(stream)
            if store.client.count([stream]) >= count:
                return
    raise RuntimeError(f"not all of {count} lines arrived within {GIVE_UP_S:g} s")


def look_up(store: Store, shipper: Shipper, trace: str) -> dict[str, Any]:
    """Find the trace ten times, and compare the file with the store once."""
    took = []
    for _ in range(10):
        began = time.monotonic()
        found = find(store.client, INVENTORY, Query(trace=trace, env=shipper.env), NOON)
        took.append(time.monotonic() - began)
        if len(found.lines) != 1:
            raise RuntimeError(f"{len(found.lines)} lines of the trace were found")
    began, cpu = time.monotonic(), time.process_time()
    counts = reconcile(store.client, INVENTORY, shipper.logs, shipper.env, send=True)
    return {
        "find_first_s": round(took[0], 3),
        "find_median_s": round(statistics.median(took), 3),
        "reconcile_s": round(time.monotonic() - began, 2),
        "reconcile_cpu_s": round(time.process_time() - cpu, 2),
        "missing": sum(each.missing for each in counts),
    }


def main() -> None:
    """Print the figures, or one JSON document; exit 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=50_000)
    parser.add_argument("--small", action="store_true", help="5,000 lines")
    parser.add_argument("--output", choices=["table", "json"], default="table")
    args = parser.parse_args()
    count = 5_000 if args.small else args.lines
    with tempfile.TemporaryDirectory(prefix="abops-bench-logs-") as folder:
        figures = measure(Path(folder), count)
    goals = {"goal_cpu_ms_per_line": GOAL_CPU_MS_PER_LINE, "goal_find_s": GOAL_FIND_S}
    if args.output == "json":
        print(json.dumps(figures | goals))
    else:
        for name, value in (figures | goals).items():
            print(f"{name:20} {value:>8}")
    dear = figures["cpu_ms_per_line"] > GOAL_CPU_MS_PER_LINE and not args.small
    sys.exit(bool(dear or figures["find_median_s"] > GOAL_FIND_S or figures["missing"]))


if __name__ == "__main__":
    main()
