"""Copies of a destination's objects in another store, which has keys and rights of its own.

A mirror copies damage and deletions as faithfully as all else. So it copies only what was
verified, deletes a week late, and never follows a source that has lost its last set. Data and log
come first, manifests after them, the files that name the sets last: whoever restores in between
finds the state before. What was copied is noted in the mirror, by name, size and the source's hash.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import timedelta
from typing import Final

import msgspec

from abops.clients.object_errors import ObjectAbsentError
from abops.clients.objectstore import PART_BYTES, Store, StoredObject
from abops.kernel.clock import Clock
from abops.kernel.errors import OpsError

STREAMS: Final = 4
LATE: Final = timedelta(days=7)
NOTE_EVERY: Final = 200
_NAMING: Final = ("backup.info", "backup.info.copy", "archive.info", "archive.info.copy")
_MANIFESTS: Final = ("backup.manifest", "backup.manifest.copy")


class MirrorHeldError(OpsError):
    """The mirror copies nothing now: what it would copy is not known to be good."""

    hint = "Verify the source: `abops backup verify --to SOURCE`."


class MirrorDamageError(OpsError):
    """An object did not arrive as it was sent."""

    hint = "Run it again; what arrived is not copied twice."


class Copied(msgspec.Struct, frozen=True, array_like=True):
    """An object that the mirror holds."""

    size: int
    source_etag: str
    md5: str
    gone: float = 0.0
    """Since when the source has it no more; 0 while it has."""


class Mirrored(msgspec.Struct, frozen=True):
    """What one run did."""

    objects: int
    bytes: int
    deleted: int
    unchanged: int


def stage(path: str) -> int:
    """Return when an object's turn is: data and log 0, manifests 1, what names the sets 2."""
    name = path.rpartition("/")[2]
    return 2 if name in _NAMING else 1 if name in _MANIFESTS else 0


def to_copy(
    source: Iterable[StoredObject], known: Mapping[str, Copied]
) -> tuple[tuple[StoredObject, ...], ...]:
    """Return what the mirror lacks or has otherwise, by stage."""
    missing = [
        one
        for one in source
        if (have := known.get(one.path)) is None
        or (have.size, have.source_etag) != (one.size, one.etag)
    ]
    return tuple(tuple(one for one in missing if stage(one.path) == turn) for turn in range(3))


def to_delete(known: Mapping[str, Copied], now: float) -> tuple[str, ...]:
    """Return what the source has not had for a week."""
    late = LATE.total_seconds()
    return tuple(path for path, one in sorted(known.items()) if one.gone and now - one.gone > late)


def marked(
    known: Mapping[str, Copied], source: Iterable[StoredObject], now: float
) -> dict[str, Copied]:
    """Return the notes with what is gone, and what came back, marked so."""
    there = {one.path for one in source}
    return {
        path: msgspec.structs.replace(one, gone=0.0 if path in there else one.gone or now)
        for path, one in known.items()
    }


def check_source(
    source: Iterable[StoredObject], listed: frozenset[str], verified: frozenset[str]
) -> None:
    """Refuse a source that lost its sets, or has one that nobody has verified."""
    if not listed or not any(one.path.endswith("/backup.info") for one in source):
        raise MirrorHeldError("the source holds no set: the mirror keeps what it has")
    unknown = sorted(listed - verified)
    if unknown:
        raise MirrorHeldError(f"{', '.join(unknown)} was not verified, or was found damaged")


class Mirror:
    """One generation's folder of a source, and its copy."""

    def __init__(self, source: Store, target: Store, folder: str, clock: Clock) -> None:
        self._source = source
        self._target = target
        self._folder = folder.strip("/")
        self._clock = clock
        self._known: dict[str, Copied] = {}
        self._since_note = 0

    @property
    def notes(self) -> str:
        """Where the mirror holds what it knows: beside the folder, out of the engine's way."""
        base, _, generation = self._folder.rpartition("/")
        return f"{base}/mirror/{generation}.json"

    async def run(self, listed: frozenset[str], verified: frozenset[str]) -> Mirrored:
        """Bring the copy up to date. Raises MirrorHeldError for a source not to be trusted."""
        source = await self._source.list(self._folder)
        check_source(source, listed, verified)
        self._known = marked(await self._noted(), source, self._clock.now().timestamp())
        turns = to_copy(source, self._known)
        try:
            for turn in turns:
                await self._copy_all(turn)
            gone = to_delete(self._known, self._clock.now().timestamp())
            await self._target.delete(gone)
            for path in gone:
                del self._known[path]
        finally:
            await self._note()
        copied = [one for turn in turns for one in turn]
        size = sum(one.size for one in copied)
        return Mirrored(len(copied), size, len(gone), len(source) - len(copied))

    async def fade(self) -> int:
        """Remove, as late as everything, the copy of a folder that was given up as a whole.

        Returns how many objects are there still.
        """
        now = self._clock.now().timestamp()
        self._known = marked(await self._noted(), (), now)
        gone = to_delete(self._known, now)
        await self._target.delete(gone)
        for path in gone:
            del self._known[path]
        if self._known:
            await self._note()
        else:
            await self._target.delete([self.notes])
        return len(self._known)

    async def _noted(self) -> dict[str, Copied]:
        try:
            text = await self._target.get(self.notes)
        except ObjectAbsentError:
            return {}
        return msgspec.json.decode(text, type=dict[str, Copied])

    async def _note(self) -> None:
        self._since_note = 0
        await self._target.put(self.notes, msgspec.json.encode(self._known, order="sorted"))

    async def _copy_all(self, objects: Iterable[StoredObject]) -> None:
        """Copy by several streams; the first failure ends all of them."""
        queue = list(objects)[::-1]

        async def stream() -> None:
            while queue:
                await self._copy(queue.pop())

        try:
            async with asyncio.TaskGroup() as streams:
                for _ in range(STREAMS):
                    streams.create_task(stream())
        except ExceptionGroup as group:
            raise group.exceptions[0] from group

    async def _copy(self, one: StoredObject) -> None:
        if one.size <= PART_BYTES:
            content = await self._source.get(one.path)
            digest, size = hashlib.md5(content, usedforsecurity=False), len(content)
            etag = await self._target.put(one.path, content)
            # S3 tells the hash of what it holds; another store's tag is a number of its own.
            if self._target.bucket is not None and etag != digest.hexdigest():
                raise MirrorDamageError(f"{self._target.name}: {one.path}")
        else:
            digest, size = await self._stream(one)
        if size != one.size or (await self._target.head(one.path)).size != one.size:
            raise MirrorDamageError(f"{self._target.name}: {one.path} has another size")
        self._known[one.path] = Copied(one.size, one.etag, digest.hexdigest())
        self._since_note += 1
        if self._since_note >= NOTE_EVERY:
            await self._note()

    async def _stream(self, one: StoredObject) -> "tuple[hashlib._Hash, int]":
        digest, size = hashlib.md5(usedforsecurity=False), 0

        async def parts() -> AsyncIterator[bytes]:
            nonlocal size
            async for part in self._source.stream(one.path):
                digest.update(part)
                size += len(part)
                yield part

        await self._target.put_stream(one.path, parts())
        return digest, size
