"""Looking closely at one destination: what it lists, what the engine says of it, what is missing.

The order matters. What the live server has handed over is read first, then what is still on its
way, and what the destination lists last: a segment that moves in between is seen at least once.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from abops.backup.model import SetFacts
from abops.backup.postgres.log_files import Fork, forks_of, histories_of
from abops.backup.service.live import Live
from abops.backup.service.repository import Repository, compare_copies
from abops.backup.verify.continuity import hashes_of
from abops.backup.verify.seen import Objects, Seen
from abops.kernel.errors import OpsError

ELSEWHERE_TIMEOUT_S: Final = 30.0


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What we know about a destination before we look."""

    live: Live = Live()
    owed: frozenset[str] = frozenset()
    recorded: Mapping[str, Objects] = {}
    gaps: Mapping[str, float] = {}
    needed_since: float | None = None
    elsewhere: Mapping[str, Mapping[str, frozenset[str]]] = {}


async def inspect(repository: Repository, known: Known, *, deep: bool = False) -> Seen:
    """Look at everything of one repository. Raises DestinationError when that cannot be done."""
    sets = await repository.sets()
    paths = await repository.paths()
    spoken = await repository.verify()
    archive = _archive_of(repository.stanza, paths)
    objects = {one.label: await repository.objects(one.label) for one in sets}
    contents: dict[str, str] = {}
    if deep:
        for label, listed in objects.items():
            contents |= await repository.contents(label, listed)
    return Seen(
        destination=repository.place.name,
        generation=repository.place.generation,
        sets=sets,
        spoken=spoken,
        paths=paths,
        stanza=repository.stanza,
        archive_id=archive,
        forks=await _forks(repository, paths, archive),
        until=known.live.until,
        owed=known.owed,
        needed_since=known.needed_since,
        copies=await _copies(repository, sets, paths),
        objects=objects,
        recorded={label: known.recorded[label] for label in objects if label in known.recorded},
        contents=contents,
        elsewhere=known.elsewhere,
        live_system=known.live.system,
        known_gaps=known.gaps,
        segment_bytes=known.live.segment_bytes,
    )


async def hashes_elsewhere(
    repositories: Sequence[Repository],
) -> dict[str, Mapping[str, frozenset[str]]]:
    """Return the segments of destinations and their hashes; one that is away is left out."""

    async def one(repository: Repository) -> tuple[str, dict[str, frozenset[str]]]:
        try:
            async with asyncio.timeout(ELSEWHERE_TIMEOUT_S):
                paths = await repository.paths(f"archive/{repository.stanza}")
        except (OpsError, TimeoutError):
            return repository.place.name, {}
        archive = _archive_of(repository.stanza, paths)
        folder = f"archive/{repository.stanza}/{archive}/"
        return repository.place.name, hashes_of(p for p in paths if p.startswith(folder))

    return dict(await asyncio.gather(*(one(each) for each in repositories)))


def _archive_of(stanza: str, paths: Sequence[str]) -> str:
    """Return the folder of the log of the newest database of the stanza: `15-1`, `16-2`."""
    front = f"archive/{stanza}/"
    folders = {
        path[len(front) :].partition("/")[0]
        for path in paths
        if path.startswith(front) and path.count("/") > front.count("/")
    }
    return max(folders, key=lambda name: int(name.rpartition("-")[2]), default="")


async def _forks(repository: Repository, paths: Sequence[str], archive: str) -> Mapping[int, Fork]:
    front = f"archive/{repository.stanza}/{archive}/"
    histories = histories_of(path for path in paths if path.startswith(front))
    texts = await repository.texts(histories)
    return forks_of((path, text or "") for path, text in texts.items())


async def _copies(
    repository: Repository, sets: Sequence[SetFacts], paths: Sequence[str]
) -> dict[str, str]:
    stanza = repository.stanza
    pairs = [f"backup/{stanza}/{one.label}/backup.manifest" for one in sets]
    pairs += [f"archive/{stanza}/archive.info", f"backup/{stanza}/backup.info"]
    there = frozenset(paths)
    both = (path for pair in pairs for path in (pair, f"{pair}.copy") if path in there)
    return compare_copies(pairs, paths, await repository.texts(both))
