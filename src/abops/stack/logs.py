"""The parts' logs: one file each, kept below a size by copying and cutting.

The writing process keeps its open file: a rename would leave it writing to the old one. What
is written between the copy and the cut is lost, a few lines at most, once in 20 MB.
"""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

LIMIT_BYTES = 20 * 2**20
_BLOCK = 64 * 1024
FOLLOW_EVERY_S = 0.2


def shorten_all(folder: Path, *, limit_bytes: int = LIMIT_BYTES) -> None:
    """Cut every log in `folder` that has grown over the limit; its content moves to `.1`."""
    for log in folder.glob("*.log"):
        if log.stat().st_size > limit_bytes:
            shutil.copyfile(log, log.with_suffix(".log.1"))
            with log.open("r+b") as stream:
                stream.truncate(0)


def last_lines(log: Path, count: int) -> list[str]:
    """Return the last `count` lines, reading only the end of the file."""
    if count <= 0 or not log.is_file():
        return []
    with log.open("rb") as stream:
        left = stream.seek(0, 2)
        tail = b""
        while left > 0 and tail.count(b"\n") <= count:
            step = min(_BLOCK, left)
            left -= step
            stream.seek(left)
            tail = stream.read(step) + tail
    return tail.decode(errors="replace").splitlines()[-count:]


def follow(log: Path) -> Iterator[str]:
    """Yield what is appended to the log from now on, for ever; a cut log is read from its start."""
    position = log.stat().st_size if log.is_file() else 0
    while True:
        size = log.stat().st_size if log.is_file() else 0
        if size < position:
            position = 0
        if size > position:
            with log.open("rb") as stream:
                stream.seek(position)
                text = stream.read(size - position)
                position += len(text)
            yield text.decode(errors="replace")
        else:
            time.sleep(FOLLOW_EVERY_S)
