"""What is done to backups: one lasting trouble a round, and one sudden one.

Everything is mended before the round ends, as somebody or something would; each says what it did.
"""

import asyncio
import os
import random
import re
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from scene import Damage, Scene, faked

from abops.backup.postgres.credentials import credentials_of
from abops.clients.objectstore import Store, open_store

LASTS_S = 20.0
SEEN_WITHIN_S = 12.0
LEFT_BYTES = 3 * 2**20
SKEW_MIN = 20
Fault = Callable[[Scene, random.Random], str]
_DATA = re.compile(r"/backup/main/\d[^/]*/(?!backup\.manifest).+$")


def frozen(scene: Scene, draw: random.Random) -> str:
    """Make a region a black hole for a while."""
    name = draw.choice(["eu", "us"])
    region = scene.protected.regions[name]
    region.freeze()
    time.sleep(draw.uniform(0.5, 1) * LASTS_S)
    region.thaw()
    return f"{name} frozen"


def refusing(scene: Scene, draw: random.Random) -> str:
    """Have nobody listen in a region for a while."""
    name = draw.choice(["eu", "us"])
    region = scene.protected.regions[name]
    region.kill()
    time.sleep(draw.uniform(0.1, 0.3) * LASTS_S)
    region.start()
    return f"{name} refusing"


def damaged(scene: Scene, draw: random.Random) -> str:
    """Flip a bit in an object of the newest set."""
    name = draw.choice(["eu", "us"])
    store = _store(scene, name)
    folder = scene.protected.destination(name).folder.strip("/")
    there = [one.path for one in asyncio.run(store.list(f"{folder}/backup/main"))]
    data = sorted(path for path in there if _DATA.search(path))
    if not data:
        return f"{name} has no set to damage yet"
    label = max(path.split("/main/")[1].partition("/")[0] for path in data)
    path = draw.choice([each for each in data if f"/{label}/" in each])
    content = asyncio.run(store.get(path))
    at = draw.randrange(len(content))
    spoilt = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
    asyncio.run(store.put(path, spoilt))
    scene.damages.append(Damage(name, label, path, content))
    return f"an object of {name} damaged"


def mend(scene: Scene) -> None:
    """Put back what was damaged and found, as whoever is paged would; each read of it costs 15 s.

    What was not found stays, and is asked for again.
    """
    broken = set(scene.asked("SELECT destination, label FROM verdict WHERE NOT valid"))
    for one in scene.damages:
        if not one.found and (one.destination, one.label) in broken:
            one.found = True
            asyncio.run(_store(scene, one.destination).put(one.path, one.content))


def _store(scene: Scene, name: str) -> Store:
    place = scene.protected.destination(name)
    return open_store(place, credentials_of(scene.protected.home, place))


def full(scene: Scene, draw: random.Random) -> str:
    """Fill the database's volume while a region is frozen, so that what is owed has no room."""
    if scene.volume is None:
        return "nothing (no volume of its own)"
    name = draw.choice(["eu", "us"])
    region = scene.protected.regions[name]
    ballast = scene.volume / "ballast"
    region.freeze()
    try:
        with ballast.open("wb") as file:
            at = os.statvfs(scene.volume)
            os.posix_fallocate(file.fileno(), 0, max(at.f_bavail * at.f_frsize - LEFT_BYTES, 1))
        time.sleep(draw.uniform(0.4, 0.8) * LASTS_S)
    finally:
        ballast.unlink(missing_ok=True)
        region.thaw()
    return f"{name} frozen and the volume full"


def wrong_clock(scene: Scene, draw: random.Random) -> str:
    """Have the engine see another time: object stores refuse what it signs."""
    minutes = draw.choice([-SKEW_MIN, SKEW_MIN])
    engine = str(scene.protected.site.engine)
    words = " ".join(f"{name}={value}" for name, value in faked(minutes).items())
    wrapper = scene.folder / "engine-with-wrong-clock"
    wrapper.write_text(f'#!/bin/sh\nexec env {words} {engine} "$@"\n')
    wrapper.chmod(0o755)
    scene.change_site(engine=str(wrapper))
    try:
        time.sleep(draw.uniform(0.4, 0.8) * LASTS_S)
    finally:
        scene.change_site(engine=engine)
    return f"clock {minutes:+d} min"


def two_schedulers(scene: Scene, draw: random.Random) -> str:
    """Have a second scheduler beside the first."""
    second = scene.another_scheduler()
    time.sleep(draw.uniform(0.7, 1) * LASTS_S)
    second.kill()
    second.wait(10)
    return "two schedulers, one killed"


def leader_frozen(scene: Scene, draw: random.Random) -> str:
    """Freeze the scheduler until another has taken the lead, then let both go on."""
    second = scene.another_scheduler()
    try:
        time.sleep(draw.uniform(1, 3))
        first = scene.scheduler.process
        first.send_signal(signal.SIGSTOP)
        time.sleep(draw.uniform(0.9, 1.1) * LASTS_S)
        first.send_signal(signal.SIGCONT)
    finally:
        second.terminate()
        with suppress(Exception):
            second.wait(20)
        second.kill()
        second.wait(10)
    return "leader frozen, another took over"


def nothing(scene: Scene, draw: random.Random) -> str:
    """Leave it alone."""
    del scene, draw
    return ""


def _when_under_way(scene: Scene, draw: random.Random) -> None:
    """Wait until a backup is being made, and a moment longer."""
    deadline = time.monotonic() + SEEN_WITHIN_S
    while time.monotonic() < deadline and not scene.under_way():
        time.sleep(0.1)
    time.sleep(draw.uniform(0, 2.0))


def backup_killed(scene: Scene, draw: random.Random) -> str:
    """Kill the process that makes the backup, and the engine with it half of the times."""
    _when_under_way(scene, draw)
    engines = scene.engines() if draw.random() < 0.5 else []  # noqa: PLR2004 - half
    scene.scheduler.kill()
    _kill(engines)
    return "scheduler killed" + (" with the engine" if engines else "")


def engine_killed(scene: Scene, draw: random.Random) -> str:
    """Kill the engine under the scheduler."""
    _when_under_way(scene, draw)
    engines = scene.engines()
    _kill(engines)
    return "engine killed" if engines else ""


def postmaster_killed(scene: Scene, draw: random.Random) -> str:
    """Kill the database's first process."""
    _when_under_way(scene, draw)
    scene.postmaster.kill()
    return "postmaster killed"


def archiver_killed(scene: Scene, draw: random.Random) -> str:
    """Kill the archiver of the log."""
    _when_under_way(scene, draw)
    scene.archiver.kill()
    return "archiver killed"


def _kill(processes: list[int]) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


LASTING: Mapping[str, Fault] = {
    "frozen": frozen,
    "refusing": refusing,
    "damaged": damaged,
    "full": full,
    "clock": wrong_clock,
    "two": two_schedulers,
    "leader": leader_frozen,
    "none": nothing,
}
SUDDEN: Mapping[str, Fault] = {
    "backup": backup_killed,
    "engine": engine_killed,
    "postmaster": postmaster_killed,
    "archiver": archiver_killed,
    "none": nothing,
}


def bag(draw: random.Random, kinds: Mapping[str, Fault], count: int) -> list[str]:
    """Return so many kinds in random order, each about as often as the others."""
    found: list[str] = []
    while len(found) < count:
        one = list(kinds)
        draw.shuffle(one)
        found += one
    return found[:count]
