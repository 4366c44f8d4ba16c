"""Giving a segment back to a PostgreSQL that recovers.

PostgreSQL takes "it is not there" as the end of its log. So nobody may say that who has not asked
each destination and been told so by each.
"""

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from abops.backup.wal.archiver import Reply
from abops.backup.wal.engine import Carrier, Outcome, Wanted
from abops.backup.wal.names import kind_of
from abops.backup.wal.place import Place
from abops.backup.wal.queue import Queue

TIMEOUT_S: Final = 15.0
FOUND, NOT_THERE, UNKNOWN = Reply(0), Reply(1), 126


async def fetch(
    wanted: Wanted,
    names: Sequence[str],
    *,
    queue: Queue,
    carrier: Carrier,
    places: Mapping[str, Place],
) -> Reply:
    """Return whether the file is where PostgreSQL wants it. `names`: the destinations to ask."""
    if kind_of(wanted.name) is None:
        return NOT_THERE
    if unknown := [name for name in names if name not in places]:
        return Reply(UNKNOWN, f"no destination is called {', '.join(unknown)}")
    if await asyncio.to_thread(_from_queue, queue, wanted):
        return FOUND
    reasons = []
    # Those that answered last time are asked first; each must be asked before "not there" is said.
    for name in sorted(names or places, key=lambda name: places[name].breaker.is_down):
        told = await carrier.get(name, wanted, TIMEOUT_S)
        if told.outcome is Outcome.DONE:
            return FOUND
        if told.outcome is not Outcome.ABSENT:
            reasons.append(told.reason or f"{name} failed")
    return Reply(UNKNOWN, "; ".join(reasons)) if reasons else NOT_THERE


def _from_queue(queue: Queue, wanted: Wanted) -> bool:
    """Copy what is owed to anybody: nothing is nearer."""
    path = queue.find_owed(wanted.name)
    if path is None:
        return False
    staged = wanted.target.with_name(f".{wanted.target.name}.abops")
    try:
        shutil.copyfile(path, staged)
        staged.replace(wanted.target)
    except FileNotFoundError:
        # Paid meanwhile: the destination has it.
        return False
    finally:
        with suppress(FileNotFoundError):
            Path(staged).unlink()
    return True
