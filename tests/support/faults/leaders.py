"""Two schedulers of one home: one acts, and when it hangs the other does."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from abops.backup.store import lead
from abops.backup.store.database import Catalog
from abops.kernel.clock import SystemClock
from support.backup import ABOPS, ROOT, Protected
from support.faults.told import Told, only_backups, timed
from support.servers import wait_until

LEAD: Final = "schedule"
GOAL_TAKEOVER_S: Final = 30.0
AWAKE_S: Final = 7.0
"""Longer than a scheduler takes to look again whether it leads."""


def two_schedulers(protected: Protected) -> Told:
    """Run two schedulers; freeze the one that leads; wake it when the other has taken over."""
    protected.archive_directly("eu", "us")
    with only_backups(protected), ExitStack() as stack:
        both = {one.pid: one for one in (stack.enter_context(_serving(protected, n)) for n in "ab")}
        wait_until(lambda: len(_sets(protected)) >= 2, what="first backups", timeout_s=120)
        first = _leader(protected)
        assert first in both, (first, list(both))
        os.kill(first, signal.SIGSTOP)
        try:
            wait = lambda: wait_until(  # noqa: E731 - what is timed
                lambda: _leader(protected) not in {0, first}, what="another leads", timeout_s=60
            )
            _, seconds = timed(wait)
        finally:
            os.kill(first, signal.SIGCONT)
        second = _leader(protected)
        assert second in both
        # Awake again it must begin nothing: give it the time for a look.
        time.sleep(AWAKE_S)
        assert second == _leader(protected)
        assert [None, None] == [one.poll() for one in both.values()]
    assert seconds <= GOAL_TAKEOVER_S, seconds
    sets = _sets(protected)
    doubles = len(sets) - len({(one["destination"], one["run"]) for one in sets})
    assert ["eu", "us"] == sorted(str(one["destination"]) for one in sets), sets
    told = f"one full set in each region; the other leads {seconds:.1f} s after the freeze"
    return Told("two schedulers, the leader SIGSTOPped", told, seconds, doubles, len(sets))


@contextmanager
def _serving(protected: Protected, name: str) -> Iterator[subprocess.Popen[bytes]]:
    words = [ABOPS, "backup", "schedule", "--home", protected.home.folder, "--metrics-port", "0"]
    with Path(protected.database.folder, f"scheduler-{name}.log").open("wb") as log:
        process = subprocess.Popen(list(map(str, words)), cwd=ROOT, stderr=log, stdout=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def _sets(protected: Protected) -> list[dict[str, object]]:
    listed: list[dict[str, object]] = json.loads(
        protected.abops("list", "--output", "json").stdout or "[]"
    )
    return listed


def _leader(protected: Protected) -> int:
    """Return the process that leads now, 0 for none."""
    if not protected.home.catalog.is_file():
        return 0
    catalog = Catalog(protected.home.catalog)
    try:
        with catalog.read() as connection:
            found = lead.leader(connection, LEAD)
    finally:
        catalog.close()
    if found is None or found.until <= SystemClock().now().timestamp():
        return 0
    return int(found.holder.rpartition(":")[2])
