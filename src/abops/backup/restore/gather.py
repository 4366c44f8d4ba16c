"""What the destinations say of themselves, asked all at once: sets, log, timelines.

One that does not answer in time is left out and named; it delays nobody.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from abops.backup.model import SEGMENT_BYTES, Destination, Home, SegmentName, SetFacts, Site
from abops.backup.postgres.engine import engine_of
from abops.backup.postgres.facts import facts_of
from abops.backup.postgres.log_files import Fork, forks_of, histories_of
from abops.backup.restore.log import Log, merged, stored_segments
from abops.backup.restore.past import Past
from abops.backup.restore.request import Holding
from abops.backup.wal.queue import owed_folder
from abops.clients.pgbackrest import Engine
from abops.clients.pgbackrest_answers import EngineError

INFO_S: Final = 15.0
LIST_S: Final = 60.0


class Repository(msgspec.Struct, frozen=True):
    """One key generation of a destination and the engine's configuration for it."""

    destination: Destination
    config: Path


class Found(msgspec.Struct, frozen=True):
    """What all destinations hold together."""

    holdings: tuple[Holding, ...]
    log: Log


class _Told(msgspec.Struct, frozen=True, kw_only=True):
    repository: Repository
    reason: str = ""
    sets: tuple[SetFacts, ...] = ()
    segments: dict[SegmentName, float] = {}
    branches: dict[int, Fork] = {}


def repositories(home: Home, site: Site) -> tuple[Repository, ...]:
    """Return every key generation of every destination, the newest first, as they are asked."""
    found = []
    for place in site.ordered:
        configs = {
            path.name.split(".")[-2]: path for path in home.folder.glob(f"{place.name}.*.conf")
        }
        for generation in sorted(configs, key=lambda name: (len(name), name), reverse=True):
            own = msgspec.structs.replace(place, generation=generation)
            found.append(Repository(own, configs[generation]))
    return tuple(found)


async def gather(
    home: Home, site: Site, names: Sequence[str] = (), past: Past | None = None
) -> Found:
    """Ask the named destinations, or all that no failover has given up; `past`: as they were."""
    engine = engine_of(home, site, past.environment if past else None)
    asked = [
        one
        for one in repositories(home, site)
        if (one.destination.name in names if names else one.destination.name not in site.away)
    ]
    told = await asyncio.gather(*(_ask(engine, site.stanza, one) for one in asked))
    branches = {number: one for place in told for number, one in place.branches.items()}
    segments = merged(*(place.segments for place in told), _owed(home, site, asked))
    return Found(_holdings(site, told), Log(segments, branches, SEGMENT_BYTES))


def owed_folders(home: Home, site: Site, names: Sequence[str]) -> tuple[Path, ...]:
    """Return where segments wait that a destination did not take yet."""
    folders = (owed_folder(home, site.cluster, name) for name in names)
    return tuple(folder for folder in folders if folder.is_dir())


def _owed(home: Home, site: Site, asked: Sequence[Repository]) -> dict[SegmentName, float]:
    names = sorted({one.destination.name for one in asked})
    files = [path for folder in owed_folders(home, site, names) for path in folder.iterdir()]
    segments = [path for path in files if len(path.name) == 24 and "." not in path.name]  # noqa: PLR2004
    return {SegmentName.of(path.name): path.stat().st_mtime for path in segments}


def _holdings(site: Site, told: Sequence[_Told]) -> tuple[Holding, ...]:
    """Return one holding for each destination: its generations are one to whoever restores."""
    holdings = []
    for place in site.ordered:
        own = [one for one in told if one.repository.destination.name == place.name]
        alive = [one for one in own if not one.reason]
        if own:
            holdings.append(
                Holding(
                    destination=place.name,
                    alive=bool(alive),
                    reason="; ".join(one.reason for one in own),
                    sets=tuple(facts for one in alive for facts in one.sets),
                )
            )
    return tuple(holdings)


async def _ask(engine: Engine, stanza: str, one: Repository) -> _Told:
    """Ask one repository. What it does not answer is a reason, not an error."""
    info = await engine.info(one.config, stanza, timeout_s=INFO_S)
    if info.status.code != 0 and not info.backup:
        return _Told(repository=one, reason=info.status.message or f"status {info.status.code}")
    try:
        entries = await engine.ls(one.config, f"archive/{stanza}", timeout_s=LIST_S)
        histories = histories_of(entry.path for entry in entries)
        branches = await _branches(engine, stanza, one.config, histories)
    except EngineError as error:
        return _Told(repository=one, reason=str(error))
    listed = ((entry.path, float(entry.time)) for entry in entries)
    return _Told(
        repository=one,
        sets=facts_of(info, one.destination),
        segments=stored_segments(listed),
        branches=branches,
    )


async def _branches(
    engine: Engine, stanza: str, config: Path, histories: Sequence[str]
) -> dict[int, Fork]:
    """Read where timelines leave their parents."""
    folder = f"archive/{stanza}"
    return forks_of(
        [
            (path, await engine.get(config, stanza, f"{folder}/{path}", timeout_s=INFO_S))
            for path in sorted(histories)
        ]
    )
