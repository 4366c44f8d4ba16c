"""Damage planted in a real repository, one after the other, and mended again.

Each time our verification runs once, as the timetable runs it, and the engine's own beside it;
then what was damaged is put back and the whole copy is looked at again.
"""

import asyncio
import json
import random
import re
from collections.abc import Callable, Mapping, Sequence

from judging import Planted
from peers import store_of

from abops.backup.verify.spoken import read_verify
from abops.clients.objectstore import Store
from support.backup import Protected
from support.wal import Archiver

GONE = 7
# Not the engine's history of manifests: no restore reads it.
_DATA = re.compile(r"/backup/main/\d[^/]*/(?!backup\.manifest).+$")
_SEGMENT = re.compile(r"/archive/main/15-1/[0-9A-F]{16}/[0-9A-F]{24}-[0-9a-f]{40}\.zst$")
_SET = re.compile(r"/backup/main/(\d{8}-\d{6}F[^/]*)/")
Contents = Mapping[str, bytes | None]
"""What objects become: None takes one away."""
Damage = Callable[[random.Random, Sequence[str], Store], Contents]


def fill(protected: Protected, archiver: Archiver) -> None:
    """Make a full set and two increments, with log between them and after."""
    protected.database.fill()
    for kind in ("full", "incr", "incr"):
        done = protected.abops("run", "--type", kind)
        if done.returncode:
            raise SystemExit(done.stderr)
        archiver.make_segments(6)
    protected.abops("wal", "drain", "--timeout", "60")


def plant(protected: Protected, name: str, rounds: int) -> tuple[list[Planted], list[bool]]:
    """Plant each kind so many times; return what was found, and whether whole copies were."""
    store = store_of(protected, name)
    draw = random.Random(20)  # noqa: S311 - picks objects
    clean = [accused(protected, name)]
    planted = []
    for kind, damage in [each for _ in range(rounds) for each in DAMAGES.items()]:
        folder = protected.destination(name).folder.strip("/")
        there = [one.path for one in asyncio.run(store.list(folder))]
        wanted = damage(draw, there, store)
        kept = {path: _get(store, path) for path in wanted if path in there}
        _put(store, wanted)
        ours = accused(protected, name)
        code, said = engine_says(protected, name)
        at = ", ".join(path.rpartition("/")[2][:24] for path in list(wanted)[:2])
        planted.append(Planted(kind, at, ours, said, code))
        _put(store, {path: None for path in wanted if path not in kept} | kept)
        clean.append(accused(protected, name))
    return planted, clean


def accused(protected: Protected, name: str) -> bool:
    """Tell whether our verification finds something critical, in its words and its exit code."""
    done = protected.abops("verify", "--to", name, "--output", "json")
    told = json.loads(done.stdout or "[]")
    critical = any(each["severity"] == "critical" for one in told for each in one["findings"])
    if critical != (done.returncode == 1):
        raise SystemExit(f"exit code {done.returncode}, findings {critical}: {done.stderr}")
    return critical


def engine_says(protected: Protected, name: str) -> tuple[int, bool]:
    """Return the exit code of the engine's verify, and whether its text has an error in it."""
    answer = asyncio.run(
        protected.engine.run(
            protected.config(name), protected.site.stanza, "verify", "--output=text", "--verbose"
        )
    )
    spoken = read_verify(answer.output)
    return answer.code, spoken.status == "error" or answer.code != 0


def _get(store: Store, path: str) -> bytes:
    return asyncio.run(store.get(path))


def _put(store: Store, contents: Contents) -> None:
    for path, content in contents.items():
        if content is None:
            asyncio.run(store.delete([path]))
        else:
            asyncio.run(store.put(path, content))


def _one(draw: random.Random, there: Sequence[str], what: re.Pattern[str]) -> str:
    return draw.choice([path for path in there if what.search(path)])


def _flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def _flip(what: re.Pattern[str]) -> Damage:
    def damage(draw: random.Random, there: Sequence[str], store: Store) -> Contents:
        path = _one(draw, there, what)
        content = _get(store, path)
        return {path: _flipped(content, draw.randrange(len(content)))}

    return damage


def _truncate(draw: random.Random, there: Sequence[str], store: Store) -> Contents:
    path = _one(draw, there, _DATA)
    content = _get(store, path)
    return {path: content[: draw.randrange(len(content))]}


def _delete(what: re.Pattern[str]) -> Damage:
    return lambda draw, there, _: {_one(draw, there, what): None}


def _set_gone(draw: random.Random, there: Sequence[str], _: Store) -> Contents:
    labels = sorted({found[1] for path in there if (found := _SET.search(path))})
    label = draw.choice(labels)
    return {path: None for path in there if f"/{label}/" in path}


def _segments_gone(count: int) -> Damage:
    def damage(draw: random.Random, there: Sequence[str], _: Store) -> Contents:
        segments = sorted(path for path in there if _SEGMENT.search(path))
        # The first stands before the oldest set and nobody needs it; behind the last there is
        # nothing that would show a hole but the server's own word.
        first = draw.randrange(2, len(segments) - count)
        return dict.fromkeys(segments[first : first + count])

    return damage


def _other_hash(draw: random.Random, there: Sequence[str], store: Store) -> Contents:
    segments = sorted(path for path in there if _SEGMENT.search(path))
    path = draw.choice(segments[2:])
    front, _, rest = path.rpartition("-")
    return {path: None, f"{front}-{'0' * 40}{rest[40:]}": _get(store, path)}


DAMAGES: Mapping[str, Damage] = {
    "a bit of an object flipped": _flip(_DATA),
    "an object truncated": _truncate,
    "an object deleted": _delete(_DATA),
    "a manifest deleted": _delete(re.compile(r"F[^/]*/backup\.manifest$")),
    "a bit of a manifest's copy flipped": _flip(re.compile(r"F[^/]*/backup\.manifest\.copy$")),
    "all objects of a set deleted": _set_gone,
    "backup.info deleted": _delete(re.compile(r"/backup/main/backup\.info$")),
    "archive.info deleted": _delete(re.compile(r"/archive/main/archive\.info$")),
    "one segment of log gone": _segments_gone(1),
    f"{GONE} segments of log gone": _segments_gone(GONE),
    "a bit of a segment flipped": _flip(_SEGMENT),
    "a segment under another hash": _other_hash,
}
