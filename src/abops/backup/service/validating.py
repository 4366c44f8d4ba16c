"""Does the verification find damage? Tried on a copy: what is kept is only read.

The copy lies in a folder of this machine, where the engine reads it with the same passphrase. It
must be found whole first, or a damage that is "found" would prove nothing.
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Sequence
from hashlib import md5
from pathlib import Path
from typing import Final

import msgspec

from abops.backup.model import Destination, Home, Site
from abops.backup.postgres.engine import engine_of
from abops.backup.service.damage import DAMAGES, Damage
from abops.backup.service.inspect import Known, inspect
from abops.backup.service.live import Live, ask_live
from abops.backup.service.lock import hold
from abops.backup.service.repository import Repository, repository_of
from abops.backup.verify.continuity import hashes_of
from abops.backup.verify.judge import judge
from abops.backup.verify.seen import Objects, Seen
from abops.clients.pgbackrest import Engine
from abops.kernel.clock import Clock, SystemClock
from abops.kernel.errors import OpsError
from abops.kernel.files import write_atomic

TWIN: Final = "twin"
"""Name of the destination that the copy is compared with: itself, before it is damaged."""
_REMOTE: Final = ("repo1-s3-", "repo1-azure-", "repo1-storage-", "repo1-type=", "repo1-path=")
_PATHS: Final = ("lock-path=", "spool-path=", "log-path=")
_SPARE: Final = 1.2
_AT_ONCE: Final = 8


class CopyTooBigError(OpsError):
    """There is no room for a copy of the repository."""

    hint = "Make room on the volume of --home, or try it on a smaller destination with --to."


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """One damage and whether it was found."""

    destination: str
    damage: str
    at: str
    found: bool
    seconds: float
    told: str
    """The first finding about it."""


class FolderStore:
    """Objects in a folder, listed with the MD5 of their content."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def list(self, prefix: str = "") -> Sequence["Stored"]:
        """Return every object below a folder."""
        below = self._folder / prefix
        return [
            Stored(
                str(path.relative_to(self._folder)),
                path.stat().st_size,
                md5(path.read_bytes(), usedforsecurity=False).hexdigest(),
            )
            for path in sorted(below.rglob("*"))
            if path.is_file() and not path.is_symlink()
        ]

    async def get(self, path: str) -> bytes:
        """Return an object's content."""
        return (self._folder / path).read_bytes()


class Stored(msgspec.Struct, frozen=True):
    """An object in a folder."""

    path: str
    size: int
    etag: str


async def validate(
    home: Home, site: Site, place: Destination, *, clock: Clock | None = None
) -> tuple[Tried, ...]:
    """Plant each kind of damage in a copy of a destination and tell which were found.

    The first row is about the copy without any damage: found is whether nothing was accused.
    """
    clock = clock or SystemClock()
    live = ask_live(home, site)
    engine = engine_of(home, site)
    folder = Path(tempfile.mkdtemp(prefix="validate-", dir=home.folder))
    try:
        source = repository_of(home, site, engine, place)
        with hold(home, place.name, "copying it to validate the verification"):
            await _copy(source, folder / "clean")
        config = _config(home.engine(place.name, place.generation), folder)
        trial = _Trial(place, site.stanza, engine, config, folder, live, clock)
        return (await trial.clean(), *[await trial.damaged(one) for one in DAMAGES])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Trial:
    """Tries damages on links to one clean copy."""

    def __init__(  # noqa: PLR0913, PLR0917 - what one trial needs
        self,
        place: Destination,
        stanza: str,
        engine: Engine,
        config: Path,
        folder: Path,
        live: Live,
        clock: Clock,
    ) -> None:
        self._place, self._stanza, self._engine = place, stanza, engine
        self._config, self._folder, self._clock = config, folder, clock
        self._known = Known(live=live)

    async def clean(self) -> Tried:
        """Look at the copy as it is, and remember what it holds."""
        began = self._clock.monotonic()
        seen = await self._look("clean", self._known)
        present = hashes_of(seen.paths)
        # What the server handed over since the copy was made is no hole in the copy.
        newest = max(present, default="")
        live = msgspec.structs.replace(self._known.live, until=None)
        recorded: dict[str, Objects] = dict(seen.objects)
        self._known = Known(live=live, recorded=recorded, elsewhere={TWIN: present})
        found = judge(msgspec.structs.replace(seen, until=None)).findings
        told = found[0].message if found else f"{len(present)} segments up to {newest}"
        return Tried(
            destination=self._place.name,
            damage="none",
            at="-",
            found=not found,
            seconds=self._clock.monotonic() - began,
            told=told,
        )

    async def damaged(self, damage: Damage) -> Tried:
        """Damage one more copy and look at it."""
        began = self._clock.monotonic()
        shutil.copytree(
            self._folder / "clean", self._folder / "hurt", copy_function=os.link, symlinks=True
        )
        at = damage.plant(self._folder / "hurt", self._stanza)
        seen = await self._look("hurt", self._known)
        shutil.rmtree(self._folder / "hurt")
        # Without a listing of better days it must be found as well: a new catalog has none.
        alone = judge(msgspec.structs.replace(seen, recorded={})).findings
        named = [one for one in alone if one.code in damage.codes and one.severity == "critical"]
        listed = any(one.code == "changed" for one in judge(seen).findings)
        return Tried(
            destination=self._place.name,
            damage=damage.name,
            at=at,
            found=bool(named) and (listed or not damage.in_set),
            seconds=self._clock.monotonic() - began,
            told=named[0].message if named else "nothing",
        )

    async def _look(self, name: str, known: Known) -> Seen:
        path = self._folder / name
        link = self._folder / "repository"
        link.unlink(missing_ok=True)
        link.symlink_to(path)
        repository = Repository(
            self._place, self._stanza, self._engine, self._config, FolderStore(path), ""
        )
        return await inspect(repository, known)


async def _copy(source: Repository, target: Path) -> None:
    """Bring every object of a repository into a folder. Raises CopyTooBigError."""
    prefix = source.folder.strip("/")
    listed = await source.store.list(prefix)
    size = sum(one.size for one in listed)
    free = shutil.disk_usage(target.parent).free
    if size * _SPARE > free:
        raise CopyTooBigError(f"a copy needs {size} bytes, {free} are free")
    several = asyncio.Semaphore(_AT_ONCE)

    async def one(path: str) -> None:
        async with several:
            content = await source.store.get(path)
        at = target / path[len(prefix) + 1 :]
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_bytes(content)

    await asyncio.gather(*(one(each.path) for each in listed))


def _config(original: Path, folder: Path) -> Path:
    """Write a configuration for the copy: the same passphrase, a folder instead of a bucket."""
    kept = [
        line
        for line in original.read_text().splitlines()
        if not line.startswith((*_REMOTE, *_PATHS)) and line != "[global]"
    ]
    work = folder / "work"
    # What is broken for good needs no second try, which comes after 15 s.
    ours = ["[global]", "job-retry=0", "repo1-type=posix", f"repo1-path={folder / 'repository'}"]
    for name in _PATHS:
        (work / name[:-1]).mkdir(parents=True, exist_ok=True)
        ours.append(f"{name}{work / name[:-1]}")
    path = folder / "copy.conf"
    write_atomic(path, "\n".join([*ours, *kept]) + "\n", mode=0o600)
    return path
