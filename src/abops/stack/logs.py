"""The parts' logs: one file each, kept below a size by copying and cutting.

The writing process keeps its open file: a rename would leave it writing to the old one. What
is written between the last look and the cut is lost, a line at most, once in 20 MB. The copies
stay two days: they are what a log store that was away is filled from again.
"""

import os
import shutil
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

LIMIT_BYTES = 20 * 2**20
KEEP_COPIES = timedelta(hours=48)
COPIES_AT_MOST = 50
"""Of one part; a part that writes more than a gigabyte in two days loses the oldest."""
_BLOCK = 64 * 1024
FOLLOW_EVERY_S = 0.2


def shorten_all(folder: Path, now: datetime, *, limit_bytes: int = LIMIT_BYTES) -> None:
    """Cut every log in `folder` over the limit, its content moved to a copy; drop old copies."""
    for log in folder.glob("*.log"):
        if log.stat().st_size > limit_bytes:
            _move_content(log, log.with_name(f"{log.name}.{now:%Y%m%dT%H%M%SZ}"))
    copies: dict[str, list[Path]] = defaultdict(list)
    for copy in sorted(folder.glob("*.log.*"), reverse=True):
        copies[copy.name.partition(".log.")[0]].append(copy)
    oldest = (now - KEEP_COPIES).timestamp()
    for of_part in copies.values():
        for place, copy in enumerate(of_part):
            if place >= COPIES_AT_MOST or copy.stat().st_mtime < oldest:
                copy.unlink()


def _move_content(log: Path, copy: Path) -> None:
    if copy.exists():
        return  # cut this very second; the next round comes
    with log.open("r+b") as source, copy.open("wb") as target:
        copy.chmod(0o600)
        shutil.copyfileobj(source, target)
        while os.fstat(source.fileno()).st_size > source.tell():  # the process goes on writing
            shutil.copyfileobj(source, target)
        source.truncate(0)


def files_of(folder: Path, part: str) -> tuple[Path, ...]:
    """Return a part's copies, oldest first, and its log."""
    log = folder / f"{part}.log"
    copies = sorted(folder.glob(f"{part}.log.*"))
    return (*copies, *([log] if log.is_file() else []))


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
