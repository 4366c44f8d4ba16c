"""Segments on their way, as files: in flight to a destination, or owed to it.

In flight is a hard link to PostgreSQL's own file: nothing is copied while PostgreSQL waits for
the answer and leaves the file alone. After the answer it renames and overwrites that very file, so
what is still owed then is an independent copy: compared by SHA-1, and on the disk for certain
before PostgreSQL hears that the segment is kept. All owed folders share one copy.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from abops.backup.model import Cluster, Home
from abops.backup.wal.names import HEADER_BYTES, kind_of, mismatch
from abops.backup.wal.policy import Gap, Room
from abops.kernel.errors import OpsError

_BLOCK: Final = 2**20
_GAPS: Final = "gaps.jsonl"


class QueueError(OpsError):
    """A segment cannot be put aside."""

    hint = "See the space and the rights of the folder beside the database's."


class DifferentSegmentError(QueueError):
    """Two files of one name hold different write-ahead log."""

    hint = (
        "Two servers archive to one place, or one was restored and archives on. Find out which "
        "one is right before anything is removed."
    )


class Owed(msgspec.Struct, frozen=True):
    """One file owed to a destination."""

    name: str
    path: Path
    since: float
    """When it was put aside, in seconds since the epoch."""
    size: int
    order: tuple[int, str]
    inode: int


def queue_folder(home: Home, cluster: Cluster) -> Path:
    """Return where files wait: beside the log, on its volume, outside of what is backed up."""
    log = (cluster.data / "pg_wal").resolve()
    beside = log.parent.parent if log.parent == cluster.data.resolve() else log.parent
    folder = beside / f"{cluster.data.name}-wal"
    if folder.is_dir() or os.access(beside, os.W_OK):
        return folder
    # A volume's root is often closed to the owner: then its copies lie with the home.
    return home.folder / "wal"


def owed_folder(home: Home, cluster: Cluster, destination: str) -> Path:
    """Return where what a destination did not take yet waits for it."""
    return queue_folder(home, cluster) / "owed" / destination


class Queue:
    """The folders `inflight` and `owed`, one in each for every destination."""

    def __init__(
        self,
        folder: Path,
        destinations: Iterable[str],
        *,
        reached: Callable[[str], None] = lambda _step: None,
    ) -> None:
        """`reached` is told each step, so that a test can end the process there."""
        self._folder = folder
        self._reached = reached
        self._staging = folder / "owed" / ".new"
        self.destinations = tuple(destinations)

    def prepare(self) -> None:
        """Make the folders. What was in flight is forgotten: PostgreSQL sends it again."""
        for folder in (self._staging, *map(self._inflight, self.destinations)):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for left in folder.iterdir():
                left.unlink()
        for name in self.destinations:
            self._owed(name).mkdir(exist_ok=True, mode=0o700)

    def take(self, segment: Path, destination: str) -> Path:
        """Put a file of PostgreSQL's in flight; across volumes it is copied."""
        path = self._inflight(destination) / segment.name
        path.unlink(missing_ok=True)
        try:
            path.hardlink_to(segment)
        except OSError as error:
            if isinstance(error, FileNotFoundError):
                raise
            _copy(segment, path)
        return path

    def land(self, name: str, destination: str) -> None:
        """Take a file out of flight."""
        (self._inflight(destination) / name).unlink(missing_ok=True)

    def owe(self, segment: Path, destinations: Iterable[str]) -> None:
        """Keep an independent copy for these destinations. Raises QueueError.

        When it returns, the copy outlives a loss of power.
        """
        try:
            if missing := self.lacking(segment, destinations):
                self._keep(segment, missing)
        except OSError as error:
            raise QueueError(f"{segment.name} cannot be put aside: {error.strerror}") from error

    def lacking(self, segment: Path, destinations: Iterable[str]) -> tuple[str, ...]:
        """Return those it is not owed to yet. Raises DifferentSegmentError, OSError."""
        return tuple(name for name in destinations if not self._has(segment, name))

    def _has(self, segment: Path, destination: str) -> bool:
        path = self._owed(destination) / segment.name
        if not path.exists():
            return False
        if sha1_of(path) != sha1_of(segment):
            raise DifferentSegmentError(f"{segment.name} is owed to {destination} and differs")
        return True

    def _keep(self, segment: Path, destinations: Iterable[str]) -> None:
        staged = self._staging / segment.name
        try:
            if _copy(segment, staged) != sha1_of(staged):
                raise QueueError(f"{segment.name} changed while it was copied")
            if reason := judge(staged):
                raise QueueError(f"{segment.name}: {reason}")
            self._reached("copied")
            for name in destinations:
                folder = self._owed(name)
                (folder / segment.name).hardlink_to(staged)
                self._reached("one owed")
                _sync(folder)
        finally:
            staged.unlink(missing_ok=True)

    def settle(self, name: str, destination: str) -> None:
        """Strike out what was owed to a destination."""
        (self._owed(destination) / name).unlink(missing_ok=True)

    def owed(self, destination: str) -> tuple[Owed, ...]:
        """Return what is owed to a destination, oldest first."""
        found = []
        with suppress(FileNotFoundError), os.scandir(self._owed(destination)) as entries:
            for entry in entries:
                if kind_of(entry.name) is None:
                    continue
                with suppress(FileNotFoundError):
                    at = entry.stat()
                    order = (at.st_mtime_ns, entry.name)
                    path = Path(entry.path)
                    found.append(Owed(entry.name, path, at.st_mtime, at.st_size, order, at.st_ino))
        return tuple(sorted(found, key=lambda one: one.order))

    def find_owed(self, name: str) -> Path | None:
        """Return a copy that is owed to anybody."""
        paths = (self._owed(destination) / name for destination in self.destinations)
        return next((path for path in paths if path.is_file()), None)

    def room(self) -> Room:
        """Return what the queue takes and what is free on its volume."""
        sizes = {one.inode: one.size for name in self.destinations for one in self.owed(name)}
        volume = os.statvfs(self._folder)
        return Room(
            sum(sizes.values()),
            volume.f_bavail * volume.f_frsize,
            volume.f_blocks * volume.f_frsize,
        )

    def note_gap(self, gap: Gap) -> None:
        """Write down, for certain, that a destination will never get a segment."""
        with (self._folder / _GAPS).open("ab") as lines:
            # Begins a line of its own: a crash may have left half of the one before.
            lines.write(b"\n" + msgspec.json.encode(gap) + b"\n")
            lines.flush()
            os.fsync(lines.fileno())

    def gaps(self) -> tuple[Gap, ...]:
        """Return the segments that destinations will never get."""
        return tuple(self._gaps())

    def _gaps(self) -> Iterator[Gap]:
        try:
            lines = (self._folder / _GAPS).read_bytes().splitlines()
        except FileNotFoundError:
            return
        for line in lines:
            # A torn line: its segment was never answered for.
            with suppress(msgspec.MsgspecError):
                yield msgspec.json.decode(line, type=Gap)

    def _inflight(self, destination: str) -> Path:
        return self._folder / "inflight" / destination

    def _owed(self, destination: str) -> Path:
        return self._folder / "owed" / destination


def judge(path: Path) -> str:
    """Say why a file is not the segment that it is named after; empty: it is. Raises OSError."""
    with path.open("rb") as stream:
        return mismatch(path.name, stream.read(HEADER_BYTES), os.fstat(stream.fileno()).st_size)


def sha1_of(path: Path) -> str:
    """Return the SHA-1 of a file, by which the engine names segments too."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, _sha1).hexdigest()


def _sha1() -> "hashlib._Hash":
    return hashlib.sha1(usedforsecurity=False)


def _copy(source: Path, target: Path) -> str:
    """Copy a file to the disk for certain; return the SHA-1 of what was read."""
    digest = _sha1()
    with source.open("rb") as reading, target.open("xb") as writing:
        while block := reading.read(_BLOCK):
            digest.update(block)
            writing.write(block)
        writing.flush()
        os.fsync(writing.fileno())
    return digest.hexdigest()


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
