"""How many alerts a second are durable on one core, and how soon they are in an incident.

Run: python benchmarks/ingest/run.py [--small] [--store sqlite|postgresql] [--output json]

On both stores in one run. With PostgreSQL the service has its core to itself; the server works
beside the load, so its CPU is not in the figures.

1. throughput: eight connections send bodies back to back; an alert counts when its body was
   answered with 200, which happens after the commit.
2. latency: 2,000 alerts a second, paced; from the moment a body is made until the incidents
   reflect its alerts, read from the database by a poll every 2 ms.
"""

import argparse
import asyncio
import json
import os
import threading
import time

from rig import Link, Service, a_body, percentile, service
from stores import KINDS, Asking, machine

from abops.kernel.clock import SystemClock

CONNECTIONS = 8
GOAL_PER_S = 5_000
GOAL_P99_MS = 500
RATE_PER_S = 2_000
MOST_PER_S = 30_000
OK = 200


def throughput(target: Service, *, seconds: float, size: int) -> dict[str, float]:
    """Send as much as is taken for so long."""
    bodies = [a_body(n * size, size) for n in range(int(seconds * MOST_PER_S / size))]
    waiting = iter(bodies)
    stored = 0

    async def send(deadline: float) -> None:
        nonlocal stored
        link = Link(target)
        for body in waiting:
            if await link.post(body) == OK:
                stored += size
            if time.monotonic() > deadline:
                break
        link.close()

    async def all_links() -> None:
        deadline = time.monotonic() + seconds
        await asyncio.gather(*(send(deadline) for _ in range(CONNECTIONS)))

    cpu, begun = target.cpu_s(), time.monotonic()
    asyncio.run(all_links())
    answered = time.monotonic() - begun
    _await_correlated(target, stored)
    elapsed, used = time.monotonic() - begun, target.cpu_s() - cpu
    return {
        "alerts": stored,
        "alerts_per_body": size,
        "seconds": round(elapsed, 2),
        "durable_per_s": round(stored / answered),
        "in_incidents_per_s": round(stored / elapsed),
        "service_cpu_s": round(used, 2),
        "durable_per_cpu_s": round(stored / used),
        "memory_mib": round(target.memory_mib()),
    }


def _await_correlated(target: Service, count: int) -> None:
    with target.asking() as ask:
        while _watermark(ask) < count:
            time.sleep(0.01)


def _watermark(ask: Asking) -> int:
    found = ask("SELECT value FROM counter WHERE name = 'correlated'")
    return int(found[0][0]) if found else 0


class Watch(threading.Thread):
    """Notes when the incidents reflect which events."""

    def __init__(self, target: Service) -> None:
        super().__init__(daemon=True)
        self._target = target
        self.seen: list[tuple[float, int]] = []
        self.done = threading.Event()

    def run(self) -> None:
        """Poll until told to stop."""
        with self._target.asking() as ask:
            while not self.done.is_set():
                found = _watermark(ask)
                if not self.seen or self.seen[-1][1] != found:
                    self.seen.append((SystemClock().now().timestamp(), found))
                time.sleep(0.002)


def latency(target: Service, *, seconds: float, size: int, first: int) -> dict[str, float]:
    """Send 2,000 alerts a second and look when they are in an incident."""
    answers: list[float] = []
    refused = 0

    async def send(link: Link, number: int) -> None:
        nonlocal refused
        begun = time.monotonic()
        status = await link.post(a_body(first + number * size, size))
        answers.append((time.monotonic() - begun) * 1000)
        refused += status != OK

    async def paced() -> None:
        links = [Link(target) for _ in range(CONNECTIONS)]
        begun = time.monotonic()
        tasks = []
        for number in range(int(seconds * RATE_PER_S / size)):
            await asyncio.sleep(begun + number * size / RATE_PER_S - time.monotonic())
            tasks.append(asyncio.create_task(send(links[number % CONNECTIONS], number)))
            if number >= CONNECTIONS:
                await tasks[number - CONNECTIONS + 1]  # a link carries one request at a time
        await asyncio.gather(*tasks)
        for link in links:
            link.close()

    watch = Watch(target)
    watch.start()
    cpu, begun = target.cpu_s(), time.monotonic()
    asyncio.run(paced())
    elapsed, used = time.monotonic() - begun, target.cpu_s() - cpu
    _await_correlated(target, first + int(seconds * RATE_PER_S / size) * size)
    time.sleep(0.05)
    watch.done.set()
    watch.join()
    waits = _waits(target, watch.seen, first)
    return {
        "alerts": len(waits),
        "per_s": round(len(waits) / elapsed),
        "refused": refused,
        "answer_p50_ms": round(percentile(answers, 0.5), 1),
        "answer_p99_ms": round(percentile(answers, 0.99), 1),
        "incident_p50_ms": round(percentile(waits, 0.5), 1),
        "incident_p99_ms": round(percentile(waits, 0.99), 1),
        "incident_max_ms": round(max(waits), 1),
        "core_share": round(used / elapsed, 2),
    }


def _waits(target: Service, seen: list[tuple[float, int]], first: int) -> list[float]:
    waits: list[float] = []
    position = 0
    with target.asking() as ask:
        for number, starts_at in ask(
            f"SELECT id, starts_at FROM event WHERE id > {first} ORDER BY id"  # noqa: S608 - a number
        ):
            while seen[position][1] < number:
                position += 1
            waits.append((seen[position][0] - starts_at) * 1000)
    return waits


def measured(store: str, seconds: float, core: int) -> dict[str, dict[str, float]]:
    """Return all figures of one store."""
    result: dict[str, dict[str, float]] = {}
    for size in (20, 100):
        with service(core=core, store=store) as target:
            result[f"throughput, {size} a body"] = throughput(target, seconds=seconds, size=size)
    with service(core=core, store=store) as target:
        result["latency at 2,000/s"] = latency(target, seconds=seconds, size=50, first=0)
    return result


def main() -> None:
    """Run both and say whether the goals are reached."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--small", action="store_true", help="A few seconds, for every day.")
    parser.add_argument("--output", choices=("text", "json"), default="text")
    parser.add_argument("--store", choices=KINDS, help="Only this one.")
    given = parser.parse_args()
    seconds = 3.0 if given.small else 20.0
    cores = sorted(os.sched_getaffinity(0))
    core = cores[-1]
    if len(cores) > 1:
        os.sched_setaffinity(0, set(cores[:-1]))  # the load stays off the service's core
    before = machine()
    stores = [given.store] if given.store else list(KINDS)
    results = {store: measured(store, seconds, core) for store in stores}
    if given.output == "json":
        print(json.dumps(results | {"machine": {"before": before, "after": machine()}}, indent=2))
        return
    print(f"machine before: {before}; after: {machine()}")
    for store, result in results.items():
        for name, figures in result.items():
            told = (f"  {key:20} {value:>10,}" for key, value in figures.items())
            print(f"{store}: {name}", *told, sep="\n")
        best = result["throughput, 100 a body"]["durable_per_s"]
        p99 = result["latency at 2,000/s"]["incident_p99_ms"]
        print(f"{store}: goal >= {GOAL_PER_S:,}/s durable on one core: {best:,.0f}/s")
        print(f"{store}: goal p99 to incident < {GOAL_P99_MS} ms: {p99} ms")


if __name__ == "__main__":
    main()
