"""Where installed tools live: a folder outside the checkout, one place per lock entry.

`<cache>/<tool>/<key>/` holds the tool's tree and `record.json`, which is written last: a
folder without it is an installation that did not finish, and counts as nothing.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from abops.kernel.files import write_atomic
from abops.stack.tools.lock import Tool


class Record(msgspec.Struct, frozen=True):
    """What was installed: absolute paths of the programs, and who provided them."""

    tool: str
    version: str
    provider: str
    seconds: float
    programs: dict[str, str]


def cache_folder() -> Path:
    """Return the cache: ABOPS_TOOLS_DIR, else `abops/tools` in the user's cache folder."""
    own = os.environ.get("ABOPS_TOOLS_DIR")
    if own:
        return Path(own).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "abops" / "tools"


def place_of(tool: Tool) -> Path:
    """Return the tool's own folder in the cache; it need not exist yet."""
    return cache_folder() / tool.name / tool.key


def read_record(tool: Tool) -> Record | None:
    """Return the tool's record if it is installed and its programs are still there."""
    try:
        record = msgspec.json.decode((place_of(tool) / "record.json").read_bytes(), type=Record)
    except (OSError, msgspec.DecodeError):
        return None
    return record if all(os.access(path, os.X_OK) for path in record.programs.values()) else None


def write_record(tool: Tool, record: Record) -> None:
    """Declare the tool installed."""
    write_atomic(place_of(tool) / "record.json", msgspec.json.format(msgspec.json.encode(record)))


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the lock `name` of the cache, so that two installers do not meet in one folder."""
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f".{name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
