"""Kill -9 the alert service again and again under load: nothing accepted is lost.

Run: python benchmarks/crash/run.py [--kills 20] [--small] [--output json]

2,000 alerts a second are sent; a body that is not answered is sent again, as Alertmanager does.
Once a second another region floods, which is an incident of its own and pages. At the end: what
was answered with 200 is what is stored, each incident that stands paged, whatever was to be paged
and not taken back by a storm was paged, and pages beyond one an incident are at most the kills.
"""

import argparse
import asyncio
import json
import random
import signal
import sqlite3
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "ingest"))

from rig import Link, Service, a_body, service

RATE_PER_S = 2_000
SIZE = 50
CONNECTIONS = 8
OK = 200
DRAIN_S = 180.0


class Load:
    """Sends bodies at a steady rate and each until it is accepted."""

    def __init__(self, target: Service) -> None:
        self._target = target
        self._next = 0
        self.running = True
        self.acked: set[int] = set()
        self.retries = 0
        self.refused = 0

    async def run(self) -> None:
        """Send until `running` is false and everything begun is accepted."""
        begun = time.monotonic()
        await asyncio.gather(*(self._send(begun) for _ in range(CONNECTIONS)))

    async def _send(self, begun: float) -> None:
        link = Link(self._target)
        while self.running:
            first, self._next = self._next, self._next + SIZE
            await asyncio.sleep(begun + first / RATE_PER_S - time.monotonic())
            body = a_body(
                first,
                SIZE,
                service_of=lambda number: number // RATE_PER_S,
                env_of=lambda number: f"region-{number // RATE_PER_S}",
                critical_every=RATE_PER_S,
            )
            while not await self._accepted(link, body):
                self.retries += 1
                await asyncio.sleep(0.05)
            self.acked.update(range(first, first + SIZE))
        link.close()

    async def _accepted(self, link: Link, body: bytes) -> bool:
        try:
            status = await link.post(body)
        except ConnectionError:
            return False
        self.refused += status != OK
        return status == OK


async def crash(target: Service, kills: int, seed: int) -> Load:
    """Kill it so many times, at moments that no one can foresee."""
    draw = random.Random(seed)  # noqa: S311 - picks moments
    load = Load(target)
    sending = asyncio.create_task(load.run())
    for _ in range(kills):
        await asyncio.sleep(draw.uniform(0.8, 2.5))
        await asyncio.to_thread(target.stop, signal.SIGKILL)
        await asyncio.to_thread(target.start)
    await asyncio.sleep(1.0)
    load.running = False
    await sending
    return load


def drain(target: Service) -> None:
    """Wait until every page is told and every event is in an incident."""
    deadline = time.monotonic() + DRAIN_S
    while time.monotonic() < deadline:
        with sqlite3.connect(f"file:{target.database}?mode=ro", uri=True) as database:
            waiting = database.execute(
                "SELECT count(*) FROM outbox WHERE page = 1 AND state NOT IN ('done', 'skipped')"
            ).fetchone()[0]
            behind = database.execute(
                "SELECT (SELECT max(id) FROM event) - (SELECT value FROM counter"
                " WHERE name = 'correlated')"
            ).fetchone()[0]
        if not waiting and not behind:
            return
        time.sleep(0.2)


def verdict(target: Service, load: Load, kills: int) -> dict[str, object]:
    """Compare what was accepted with what is stored, and pages with incidents."""
    with sqlite3.connect(f"file:{target.database}?mode=ro", uri=True) as database:
        stored = [
            int(row[0])
            for row in database.execute("SELECT json_extract(labels, '$.number') FROM event")
        ]
        members = database.execute("SELECT count(*) FROM member").fetchone()[0]
        critical = {
            row[0]
            for row in database.execute(
                "SELECT number FROM incident WHERE severity = 'critical' AND merged_into IS NULL"
            )
        }
        due = {
            row[0]
            for row in database.execute(
                "SELECT DISTINCT incident FROM outbox WHERE page = 1 AND state <> 'skipped'"
            )
        }
    pages = target.recorder.pages
    extra = sum(count - 1 for count in pages.values())
    return {
        "kills": kills,
        "accepted": len(load.acked),
        "stored": len(stored),
        "lost": len(load.acked - set(stored)),
        "stored_twice": len(stored) - len(set(stored)),
        "never_accepted_but_stored": len(set(stored) - load.acked),
        "in_incidents": members,
        "critical_incidents": len(critical),
        "to_be_paged": len(due),
        "paged": len(pages),
        "pages_more_than_once": extra,
        "bodies_sent_again": load.retries,
        "answers_503": load.refused,
        "passed": set(stored) == load.acked
        and len(stored) == len(load.acked) == members
        and critical <= due
        and len(pages) == len(due)
        and extra <= kills,
    }


def main() -> None:
    """Run it; exit 1 when something is lost or told too often."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1, help="Picks the moments of the kills.")
    parser.add_argument("--small", action="store_true", help="Three kills.")
    parser.add_argument("--output", choices=("text", "json"), default="text")
    given = parser.parse_args()
    kills = 3 if given.small else given.kills
    with service() as target:
        load = asyncio.run(crash(target, kills, given.seed))
        drain(target)
        result = verdict(target, load, kills)
    if given.output == "json":
        print(json.dumps(result, indent=2))
    else:
        print(*(f"{key:28} {value}" for key, value in result.items()), sep="\n")
    sys.exit(0 if result["passed"] else 1)


if __name__ == "__main__":
    main()
