"""Which trouble of backups wakes whom, and after how many seconds.

On a running local stack, with the rules of production: something is done to what the regions
hold or to those who bring it there, and the alert, the incident and the messages are awaited as
they reach people. Each is taken back afterwards; where the alert ends by that, its end is awaited
too. The region that stays away takes 16 minutes, for so long an alert waits for it.

    python benchmarks/backup/pages/run.py [--only NAME ...] [--output table|json]
"""

import argparse
import asyncio
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

from abops.backup.model import Destination, Home
from abops.backup.postgres.credentials import credentials_of
from abops.backup.postgres.site import load_site
from abops.clients.objectstore import Store, open_store
from abops.clients.programs import call
from abops.kernel.clock import SystemClock
from abops.stack import backups
from abops.stack.programs import ABOPS
from abops.workflows.demo import await_quiet
from abops.workflows.demo_faults import Fault, StopPart
from abops.workflows.demo_setting import Scene, set_the_scene

LOOK_EVERY_S = 0.5
TOLD_WITHIN_S = 90.0
OVER_WITHIN_S = 120.0
LOST_SEGMENTS = 7
COMMAND_S = 300.0
_SEGMENT = re.compile(r"/[0-9A-F]{24}-[0-9a-f]{40}")
PAGE, CHAT = ("pagerduty", "slack"), ("slack",)


class Seen(NamedTuple):
    """What followed; seconds since it was found out, None for what did not come."""

    trouble: str
    alert: str
    found_s: float
    """What whoever looks needs to find it: the verification, the run."""
    alert_s: float | None
    told_s: float | None
    """Until the last channel had it."""
    over_s: float | None
    """From the taking back to the end of the alert; None where it stays by intent."""


class Place:
    """One stack and its backups, as somebody with all keys sees them."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.home = Home(backups.home_folder(scene.site))

    def destination(self, name: str) -> Destination:
        """Return a destination by its name."""
        return next(one for one in load_site(self.home).sources if one.name == name)

    def store(self, name: str) -> Store:
        """Return the door to what it holds."""
        place = self.destination(name)
        return open_store(place, credentials_of(self.home, place))

    def abops(self, *words: str) -> float:
        """Run `abops backup ...` whatever comes of it; return the seconds."""
        began = time.monotonic()
        command = ("backup", *words, "--home", str(self.home.folder))
        while True:
            done = asyncio.run(call(ABOPS, *command, timeout_s=COMMAND_S))
            if "in hand" not in done.errors:
                break
            time.sleep(LOOK_EVERY_S)
        # What is found wrong ends with 1 as well, and its rows are told.
        if not done.output:
            raise SystemExit(f"abops {' '.join(words)}: {done.errors[-400:]}")
        return time.monotonic() - began


@contextmanager
def without(place: Place, name: str, chosen: Callable[[Place, str], list[str]]) -> Iterator[None]:
    """Take objects out of a region while the block runs, then put them back as they were."""
    store = place.store(name)
    paths = chosen(place, name)

    async def take() -> dict[str, bytes]:
        kept = {path: await store.get(path) for path in paths}
        await store.delete(paths)
        return kept

    async def put_back(kept: dict[str, bytes]) -> None:
        for path, content in kept.items():
            await store.put(path, content)

    kept = asyncio.run(take())
    try:
        yield
    finally:
        asyncio.run(put_back(kept))


def biggest_of_newest_set(place: Place, name: str) -> list[str]:
    """Return the path of the biggest object of the newest set."""
    at = place.destination(name)
    stanza = load_site(place.home).stanza
    found = asyncio.run(place.store(name).list(f"{at.folder}/backup/{stanza}"))
    sets = sorted({one.path.split("/")[-2] for one in found if "F" in one.path.split("/")[-2]})
    own = [one for one in found if f"/{sets[-1]}/" in one.path]
    return [max(own, key=lambda one: one.size).path]


def middle_of_log(place: Place, name: str) -> list[str]:
    """Return the paths of seven segments in a row that are neither the first nor the last."""
    at = place.destination(name)
    stanza = load_site(place.home).stanza
    found = asyncio.run(place.store(name).list(f"{at.folder}/archive/{stanza}"))
    log = [one.path for one in found if _SEGMENT.search(one.path)]
    start = max(1, (len(log) - LOST_SEGMENTS) // 2)
    return sorted(log)[start : start + LOST_SEGMENTS]


@contextmanager
def damaged(place: Place) -> Iterator[float]:
    """An object of a set is gone, and the verification finds it."""
    with without(place, "us", biggest_of_newest_set):
        yield place.abops("verify", "--to", "us")
    place.abops("verify", "--to", "us")


@contextmanager
def holed(place: Place) -> Iterator[float]:
    """Seven segments of log are gone, and the verification finds it."""
    with without(place, "eu", middle_of_log):
        yield place.abops("verify", "--to", "eu")
    place.abops("verify", "--to", "eu")


@contextmanager
def refused(place: Place) -> Iterator[float]:
    """A region does not know the key any more, and a backup fails by it."""
    at = place.destination("us")
    config = place.home.engine(at.name, at.generation)
    right, owner = config.read_text(), config.stat()
    lines = [
        "repo1-s3-key-secret=wrong" if line.startswith("repo1-s3-key-secret=") else line
        for line in right.splitlines()
    ]
    config.write_text("\n".join(lines) + "\n")
    os.chown(config, owner.st_uid, owner.st_gid)
    try:
        yield place.abops("run", "--to", "us", "--type", "incr")
    finally:
        config.write_text(right)


@contextmanager
def stopped(place: Place, part: str) -> Iterator[float]:
    """A part of the stack stays away."""
    fault = Fault(part, f"{part} stays away", part, (), StopPart(part))
    place.scene.injector.inject(fault)
    try:
        yield 0.0
    finally:
        place.scene.injector.mend(fault)


class Trial(NamedTuple):
    """A trouble, whose alert tells of it, whom it must reach, and whether it ends by mending."""

    name: str
    alert: str
    channels: tuple[str, ...]
    trouble: Callable[[Place], AbstractContextManager[float]]
    within_s: float = TOLD_WITHIN_S
    ends: bool = True


TRIALS = (
    Trial("an object of a set is gone", "BackupVerifyFailed", PAGE, damaged),
    Trial("seven segments of log are gone", "BackupWalGap", PAGE, holed),
    Trial(
        "the scheduler stays away",
        "TargetVanished",
        PAGE,
        lambda place: stopped(place, "backup"),
    ),
    Trial(
        "the archiver stays away",
        "TargetVanished",
        PAGE,
        lambda place: stopped(place, "backup-wal"),
    ),
    Trial(
        "a region stays away",
        "BackupRegionStale",
        CHAT,
        lambda place: stopped(place, "region-us"),
        within_s=1_080.0,
    ),
    # Its alert looks six hours back: it comes last.
    Trial("a region refuses a backup", "BackupFailed", CHAT, refused, ends=False),
)


def run(trial: Trial, place: Place) -> Seen:
    """Cause it, watch until people know, take it back, watch until it is over."""
    await_quiet(place.scene.observers, SystemClock())
    began_wall = SystemClock().now().timestamp()
    told: dict[str, float] = {}
    alert_s = None
    with trial.trouble(place) as found_s:
        began = time.monotonic()
        while time.monotonic() - began < trial.within_s and set(told) < set(trial.channels):
            if alert_s is None and trial.alert in firing(place):
                alert_s = time.monotonic() - began
            told |= messages(place, trial, began_wall)
            time.sleep(LOOK_EVERY_S)
    over_s = None
    mended = time.monotonic()
    while trial.ends and over_s is None and time.monotonic() - mended < OVER_WITHIN_S:
        if trial.alert not in firing(place):
            over_s = time.monotonic() - mended
        time.sleep(LOOK_EVERY_S)
    everybody = set(told) >= set(trial.channels)
    told_s = max(told.values()) - began_wall - found_s if everybody else None
    return Seen(trial.name, trial.alert, found_s, alert_s, told_s, over_s)


def firing(place: Place) -> set[str]:
    """Return the names of the alerts that fire now."""
    return {alert.name for alert in place.scene.observers.prometheus.firing()}


def messages(place: Place, trial: Trial, since: float) -> dict[str, float]:
    """Return for each channel when it first heard of the trial's alert."""
    told: dict[str, float] = {}
    open_now = place.scene.observers.incidents.incidents(state="open", since=int(since))
    numbers = [
        int(one["number"])
        for one in open_now
        if any(
            member["alert"]["name"] == trial.alert
            for member in place.scene.observers.incidents.incident(int(one["number"]))["members"]
        )
    ]
    for message in place.scene.observers.inbox.received():
        if message.at_s >= since and any(message.is_about(number) for number in numbers):
            told.setdefault(message.channel, message.at_s)
    return told


def main() -> int:
    """Run the trials and print; 1 when somebody was not told, or an alert did not end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--output", choices=["table", "json"], default="table")
    arguments = parser.parse_args()
    scene = set_the_scene(SystemClock(), report=lambda _: None)
    place = Place(scene)
    found = []
    for trial in (one for one in TRIALS if not arguments.only or one.name in arguments.only):
        seen = run(trial, place)
        found.append((trial, seen))
        figures = (seen.found_s, seen.alert_s, seen.told_s, seen.over_s)
        columns = "".join(f"{'-' if one is None else f'{one:.1f}':>9}" for one in figures)
        print(f"{seen.trouble:32}{seen.alert:22}{columns}", file=sys.stderr, flush=True)
    if arguments.output == "json":
        print(json.dumps([seen._asdict() for _, seen in found], indent=2))
    told = sum(seen.told_s is not None for _, seen in found)
    ends = [seen.over_s is not None for trial, seen in found if trial.ends]
    print(f"{told}/{len(found)} told to everybody concerned, {sum(ends)}/{len(ends)} ended")
    return 0 if told == len(found) and all(ends) else 1


if __name__ == "__main__":
    sys.exit(main())
