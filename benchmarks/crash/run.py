"""Kill -9 the alert service again and again under load: nothing accepted is lost.

Run: python benchmarks/crash/run.py [--kills 20] [--store sqlite|postgresql] [--small]
     [--output json]

On SQLite one process is killed, on PostgreSQL one of two replicas: the one that leads and either
in turn. 2,000 alerts a second are sent; a body that is not answered is sent again, to the other
replica if there is one, as Alertmanager does. Once a second another region floods, which is a
storm of its own, so that every kill but the first few falls into some. Each region has one
critical alert, which pages and escalates after 10 and 20 s (in small runs 4 and 8). At the end:
what was answered with 200 is what is stored, each incident that stands paged, whatever was to be
paged and not taken back by a storm was paged, pages beyond one a channel and incident are at most
the kills, the other replica leads within 2 s, and each level was paged within 2 s of being due, or
of the moment the service was back.
"""

import argparse
import asyncio
import itertools
import json
import random
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "ingest"))

from rig import ROOT, Link, Service, a_body, replicas
from stores import KINDS, machine

from abops.kernel.clock import SystemClock

RATE_PER_S = 2_000
SIZE = 50
CONNECTIONS = 8
OK = 200
DRAIN_S = 240.0
LEVELS_S = (10, 20)
"""When the second and the third level are paged."""
SMALL_KILLS = 3
SMALL_LEVELS_S = (4, 8)
NOW = SystemClock().now
LATE_S = 2.0
TAKEN_OVER_S = 2.0
"""Seconds in which the other replica is to lead after a kill."""


class Load:
    """Sends bodies at a steady rate and each until it is accepted."""

    def __init__(self, targets: tuple[Service, ...]) -> None:
        self._targets = targets
        self._next = 0
        self.running = True
        self.acked: set[int] = set()
        self.retries = 0
        self.refused = 0

    async def run(self) -> None:
        """Send until `running` is false and everything begun is accepted."""
        begun = time.monotonic()
        await asyncio.gather(*(self._send(begun, n) for n in range(CONNECTIONS)))

    async def _send(self, begun: float, number: int) -> None:
        turns = itertools.cycle(self._targets[number % len(self._targets) :] + self._targets)
        link = Link(next(turns))
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
                link.close()
                link = Link(next(turns))
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


@dataclass
class Killing:
    """What was killed, and when the service was away."""

    load: Load
    away: list[tuple[float, float]] = field(default_factory=list)
    """From each kill to the moment the service was back."""
    led: int = 0
    """Kills of the replica that led."""
    in_storms: int = 0
    """Kills while a storm raged."""
    took_over_s: list[float] = field(default_factory=list)
    """From each kill of the one that led to the moment another one did."""


async def crash(targets: tuple[Service, ...], kills: int, seed: int) -> Killing:
    """Kill one so many times, at moments that no one can foresee."""
    draw = random.Random(seed)  # noqa: S311 - picks moments
    killing = Killing(Load(targets))
    sending = asyncio.create_task(killing.load.run())
    for number in range(kills):
        await asyncio.sleep(draw.uniform(0.8, 2.5))
        leading = await asyncio.to_thread(_leading, targets)
        target = leading[0] if leading and number % 2 == 0 else draw.choice(targets)
        with targets[0].asking() as ask:
            raging = ask("SELECT count(*) FROM storm WHERE ended_at IS NULL")[0][0]
        killing.in_storms += bool(raging)
        killing.led += target in leading
        await _restart(killing, targets, target)
    await asyncio.sleep(1.0)
    killing.load.running = False
    await sending
    return killing


def _leading(targets: tuple[Service, ...]) -> list[Service]:
    return [target for target in targets if target.leads()]


async def _restart(killing: Killing, targets: tuple[Service, ...], target: Service) -> None:
    """Kill one and start it again; the service is back when one leads and has read the state."""
    others = [other for other in targets if other is not target]
    led = await asyncio.to_thread(target.leads)
    killed = NOW().timestamp()
    await asyncio.to_thread(target.stop, signal.SIGKILL)
    started = asyncio.create_task(asyncio.to_thread(target.start))
    took_over = await asyncio.to_thread(_taken_over, others) if led and others else killed
    await started
    if not others:
        killing.away.append((killed, NOW().timestamp()))
    elif led:
        killing.took_over_s.append(took_over - killed)
        killing.away.append((killed, took_over))
    else:
        killing.away.append((killed, killed))


def _taken_over(others: list[Service]) -> float:
    """Wait until one of these leads; return when that was."""
    while not any(other.leads() for other in others):
        time.sleep(0.02)
    return NOW().timestamp()


def drain(target: Service, levels_s: tuple[int, ...]) -> None:
    """Wait until every page is told, every event is in an incident, and every level was paged."""
    deadline = time.monotonic() + DRAIN_S
    time.sleep(levels_s[-1] + 3)
    with target.asking() as ask:
        while time.monotonic() < deadline:
            waiting = ask(
                "SELECT count(*) FROM outbox WHERE page = 1 AND state NOT IN ('done', 'skipped')"
            )[0][0]
            behind = ask(
                "SELECT (SELECT max(id) FROM event) - (SELECT value FROM counter"
                " WHERE name = 'correlated')"
            )[0][0]
            if not waiting and not behind:
                return
            time.sleep(0.2)


def lateness(
    target: Service, away: list[tuple[float, float]], levels_s: tuple[int, ...]
) -> list[float]:
    """Return how late each level was paged: time that the service was there and did not page."""
    with target.asking() as ask:
        pages = ask("SELECT incident, level, at FROM page ORDER BY id")
    begun: dict[int, float] = {}
    late = []
    for incident, level, at in pages:
        if level == 1:
            begun.setdefault(incident, at)
        elif incident in begun:
            due = begun[incident] + levels_s[level - 2]
            late.append(_there_between(due, at, away))
    return late


def _there_between(due: float, at: float, away: list[tuple[float, float]]) -> float:
    """Return the longest time between two moments in which the service was there."""
    longest, since = 0.0, due
    for killed, back in away:
        if killed < at and back > since:
            longest = max(longest, killed - since)
            since = max(since, back)
    return max(longest, at - since)


def verdict(target: Service, killing: Killing, levels_s: tuple[int, ...]) -> dict[str, object]:
    """Compare what was accepted with what is stored, and pages with incidents."""
    load, kills = killing.load, len(killing.away)
    late = lateness(target, killing.away, levels_s)
    number = target.store.label.format("number")
    with target.asking() as ask:
        stored = [int(row[0]) for row in ask(f"SELECT {number} FROM event")]  # noqa: S608 - a name
        members = ask("SELECT count(*) FROM member")[0][0]
        critical = {
            row[0]
            for row in ask(
                "SELECT number FROM incident WHERE severity = 'critical' AND merged_into IS NULL"
            )
        }
        due = set(
            ask(
                "SELECT DISTINCT incident, channel FROM outbox"
                " WHERE page = 1 AND state <> 'skipped'"
            )
        )
    pages = target.recorder.pages
    extra = sum(count - 1 for count in pages.values())
    return {
        "kills": kills,
        "of_the_one_that_led": killing.led,
        "in_a_storm": killing.in_storms,
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
        "slowest_takeover_s": round(max(killing.took_over_s), 2) if killing.took_over_s else None,
        "levels_paged": len(late),
        "latest_s": round(max(late, default=0.0), 2),
        "later_than_2_s": sum(each > LATE_S for each in late),
        "median_late_s": round(sorted(late)[len(late) // 2], 2) if late else None,
        "bodies_sent_again": load.retries,
        "answers_503": load.refused,
        "passed": set(stored) == load.acked
        and len(stored) == len(load.acked) == members
        and critical <= {incident for incident, _ in due}
        and len(pages) == len(due)
        and extra <= kills
        and len(late) >= len(critical) * len(levels_s)
        and max(late, default=0.0) <= LATE_S
        and max(killing.took_over_s, default=0.0) <= TAKEN_OVER_S,
    }


def quick_inventory(levels_s: tuple[int, ...]) -> str:
    """Return the shipped inventory with levels that follow within seconds, each paged once."""
    text = (ROOT / "platform.yaml").read_text()
    for shipped, quick in zip(("15m", "30m"), levels_s, strict=True):
        text = text.replace(f"after: {shipped}", f"after: {quick}s")
    return text.replace("repeat: 3", "repeat: 1")


def measured(store: str, kills: int, seed: int, levels_s: tuple[int, ...]) -> dict[str, object]:
    """Return the verdict on one store."""
    count = 1 if store == "sqlite" else 2
    with replicas(count, store=store, inventory=quick_inventory(levels_s)) as targets:
        killing = asyncio.run(crash(targets, kills, seed))
        drain(targets[0], levels_s)
        return verdict(targets[0], killing, levels_s)


def main() -> None:
    """Run it; exit 1 when something is lost or told too often."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1, help="Picks the moments of the kills.")
    parser.add_argument("--small", action="store_true", help="Three kills.")
    parser.add_argument("--output", choices=("text", "json"), default="text")
    parser.add_argument("--store", choices=KINDS, help="Only this one.")
    given = parser.parse_args()
    kills = 3 if given.small else given.kills
    quick = given.small or given.kills <= SMALL_KILLS
    levels_s = SMALL_LEVELS_S if quick else LEVELS_S
    before = machine()
    stores = [given.store] if given.store else list(KINDS)
    results = {store: measured(store, kills, given.seed, levels_s) for store in stores}
    if given.output == "json":
        print(json.dumps(results | {"machine": {"before": before, "after": machine()}}, indent=2))
    else:
        print(f"machine before: {before}; after: {machine()}")
        for store, result in results.items():
            print(store, *(f"  {key:28} {value}" for key, value in result.items()), sep="\n")
    sys.exit(0 if all(result["passed"] for result in results.values()) else 1)


if __name__ == "__main__":
    main()
