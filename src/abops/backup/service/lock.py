"""One run for one destination at a time, whoever started it.

The operating system lets go of the lock when its holder ends, however it ends: nothing stale is
ever left to clean up.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from abops.backup.model import Home
from abops.kernel.errors import OpsError

_FILE: Final = "run.lock"


class RunHeldError(OpsError):
    """Another run has this destination in hand."""

    hint = "Wait for its end; abops backup status shows how far it is."


@contextmanager
def hold(home: Home, destination: str, what: str) -> Iterator[None]:
    """Have a destination in hand while the block runs. Raises RunHeldError at once."""
    path = home.work(destination) / _FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunHeldError(f"{destination}: {holder(home, destination)}") from error
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps({"what": what, "pid": os.getpid()}).encode(), 0)
        yield
    finally:
        os.close(handle)


def is_held(home: Home, destination: str) -> bool:
    """Tell whether a run has the destination in hand now."""
    path = home.work(destination) / _FILE
    with suppress(OSError), path.open("rb") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def holder(home: Home, destination: str) -> str:
    """Return who has it in hand, in words."""
    try:
        told = json.loads((home.work(destination) / _FILE).read_text())
        return f"{told['what']} (process {told['pid']}) has it in hand"
    except (OSError, ValueError, KeyError, TypeError):
        return "another run has it in hand"


def progress(work: Path, stanza: str) -> float | None:
    """Return which part of a running backup is copied, 0 to 1, by the engine's own lock file."""
    # Since 2.55 the file is named by the repository too.
    for path in (work / "lock").glob(f"{stanza}-backup*.lock"):
        with suppress(OSError, ValueError, KeyError, TypeError):
            return min(1.0, float(json.loads(path.read_text())["pctCplt"]) / 10_000)
    return None
