"""One repository of the engine: a key generation of a destination, or a copy of it in a folder."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from hashlib import md5
from pathlib import Path
from typing import Final, Protocol

import msgspec

from abops.backup.model import Destination, Home, SetFacts, Site
from abops.backup.postgres.credentials import credentials_of
from abops.backup.postgres.facts import facts_of
from abops.backup.postgres.faults import explain, meaning
from abops.backup.service.look import NO_BACKUP
from abops.backup.verify.seen import Objects
from abops.backup.verify.spoken import Spoken, read_verify
from abops.clients.objectstore import open_store
from abops.clients.pgbackrest import Engine
from abops.clients.pgbackrest_answers import EngineError

ONE_RETRY: Final = "--job-retry=1"
"""At once. A third look comes after 15 s, for each file again: those behind the cut of a truncated
object are hundreds, and the verification would take hours."""
VERIFY_TIMEOUT_S: Final = 6 * 3_600.0
LIST_TIMEOUT_S: Final = 300.0
ASK_TIMEOUT_S: Final = 15.0
_AT_ONCE: Final = 4
_MD5_DIGITS: Final = 32


class Listed(Protocol):
    """An object as a store lists it."""

    @property
    def path(self) -> str: ...  # noqa: D102
    @property
    def size(self) -> int: ...  # noqa: D102
    @property
    def etag(self) -> str: ...  # noqa: D102


class Lister(Protocol):
    """Where objects are listed and read; `clients.objectstore.Store` is one."""

    async def list(self, prefix: str = "") -> Sequence[Listed]: ...  # noqa: D102
    async def get(self, path: str) -> bytes: ...  # noqa: D102


class Repository(msgspec.Struct, frozen=True):
    """How to reach one repository."""

    place: Destination
    stanza: str
    engine: Engine
    config: Path
    store: Lister
    folder: str
    """Where it lies in the store."""

    async def sets(self) -> tuple[SetFacts, ...]:
        """Return its sets. Raises DestinationError."""
        info = await self.engine.info(self.config, self.stanza)
        if info.status.code not in {0, NO_BACKUP}:
            raise meaning(self.place, "info", info.status.code, info.status.message)
        return facts_of(info, self.place)

    async def paths(self, below: str = "") -> tuple[str, ...]:
        """Return all its files below a folder, as paths of the repository."""
        entries = await self.engine.ls(self.config, below, timeout_s=LIST_TIMEOUT_S)
        front = f"{below}/" if below else ""
        return tuple(f"{front}{one.path}" for one in entries if one.kind == "file")

    async def verify(self) -> Spoken:
        """Have the engine read every object. Raises DestinationError when it cannot."""
        answer = await self.engine.run(
            self.config,
            self.stanza,
            "verify",
            "--output=text",
            "--verbose",
            ONE_RETRY,
            timeout_s=VERIFY_TIMEOUT_S,
        )
        if answer.code != 0:
            raise explain(self.place, "verify", answer)
        can = await self.engine.capabilities()
        return read_verify(answer.output, sees_blocks=can.verify_trusted)

    async def texts(self, paths: Iterable[str]) -> dict[str, str | None]:
        """Return files decrypted; None for one that cannot be read."""
        several = asyncio.Semaphore(_AT_ONCE)

        async def one(path: str) -> tuple[str, str | None]:
            async with several:
                try:
                    text = await self.engine.get(
                        self.config, self.stanza, path, timeout_s=ASK_TIMEOUT_S
                    )
                except EngineError:
                    return path, None
                return path, text

        return dict(await asyncio.gather(*(one(path) for path in paths)))

    async def objects(self, label: str) -> Objects:
        """Return the objects of a set as the store lists them: name -> size and ETag."""
        prefix = f"{self.folder}/backup/{self.stanza}/{label}".strip("/")
        listed = await self.store.list(prefix)
        return {one.path[len(prefix) + 1 :]: (one.size, one.etag) for one in listed}

    async def contents(self, label: str, objects: Objects) -> dict[str, str]:
        """Read each object of a set; say what is wrong with it, empty for nothing."""
        prefix = f"{self.folder}/backup/{self.stanza}/{label}".strip("/")
        found = {}
        for name, (_, etag) in objects.items():
            if len(etag) == _MD5_DIGITS:  # else it is of parts, and says nothing of the whole
                content = await self.store.get(f"{prefix}/{name}")
                wrong = md5(content, usedforsecurity=False).hexdigest() != etag
                path = f"backup/{self.stanza}/{label}/{name}"
                found[path] = "its content is not what was stored" if wrong else ""
        return found


def repository_of(home: Home, site: Site, engine: Engine, place: Destination) -> Repository:
    """Return the repository of a destination."""
    return Repository(
        place,
        site.stanza,
        engine,
        home.engine(place.name, place.generation),
        open_store(place, credentials_of(home, place)),
        place.folder,
    )


def compare_copies(
    pairs: Iterable[str], paths: Iterable[str], texts: Mapping[str, str | None]
) -> dict[str, str]:
    """Say for each file that is stored twice what is wrong with the pair, empty for nothing."""
    there = frozenset(paths)
    found = {}
    for path in pairs:
        copy = f"{path}.copy"
        first, second = texts.get(path), texts.get(copy)
        if path not in there:
            found[path] = "it is missing"
        elif copy not in there:
            found[path] = "its copy is missing"
        elif first is None:
            found[path] = "it cannot be read"
        elif second is None:
            found[path] = "its copy cannot be read"
        else:
            found[path] = "" if first == second else "it differs from its copy"
    return found
