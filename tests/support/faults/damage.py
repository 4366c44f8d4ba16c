"""Objects of a set flipped, truncated, deleted; log that is gone."""

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from support.backup import Protected
from support.faults.told import Told, checked, critical, made, scheduled, store_of, timed
from support.restoring import ACCOUNTS, new_place, restored

HURTS: Final[dict[str, Callable[[bytes], bytes | None]]] = {
    "flipped": lambda content: (
        content[: len(content) // 2]
        + bytes([content[len(content) // 2] ^ 1])
        + content[len(content) // 2 + 1 :]
    ),
    "truncated": lambda content: content[: len(content) // 2],
    "deleted": lambda _content: None,
}
GONE: Final = 7
BEFORE: Final = 3
"""Segments before the hole."""
_LAST: Final = re.compile(r"The last point that can be reached on timeline \d+ is (\S+ ?\S*)\.")


def damaged_object(protected: Protected, kind: str) -> Told:
    """Damage the biggest object of the newest set of eu; the log goes on to both regions."""
    expected = protected.database.sql(ACCOUNTS)
    label = made(protected, "--to", "eu", "--type", "full")["eu"]["label"]
    assert [] == [one for one in critical(checked(protected, "--to", "eu")["eu"]) if label in one]
    path = asyncio.run(_hurt(protected, label, HURTS[kind]))
    found, seconds = timed(lambda: checked(protected, "--to", "eu")["eu"])
    words = [one for one in critical(found) if label in one]
    assert words, found
    assert "us" == planned(protected)["source"]
    lost = int(expected != restored(protected, ACCOUNTS))
    after = made(protected, "--to", "eu")["eu"]
    assert ("success", "full") == (after["outcome"], after["type"]), after
    told = f"critical in one cycle: {words[0]}"
    return Told(f"{kind}: {path.rpartition('/')[2]} of {label} in eu", told, seconds, lost, 1)


async def _hurt(protected: Protected, label: str, hurt: Callable[[bytes], bytes | None]) -> str:
    store, place = store_of(protected, "eu"), protected.destination("eu")
    prefix = f"{place.folder}/backup/{protected.site.stanza}/{label}/".strip("/")
    objects = [one for one in await store.list(prefix) if "manifest" not in one.path]
    biggest = max(objects, key=lambda one: (one.size, one.path)).path
    content = hurt(await store.get(biggest))
    if content is None:
        await store.delete([biggest])
    else:
        await store.put(biggest, content)
    return biggest


def planned(protected: Protected, *words: str) -> dict[str, Any]:
    """Return the plan of a restore, which must be possible."""
    plan, refusal = _asked(protected, *words)
    assert plan is not None, refusal
    return plan


def _asked(protected: Protected, *words: str) -> tuple[dict[str, Any] | None, str]:
    with new_place() as place:
        words = ("restore", "--to-dir", str(place), "--dry-run", "--output", "json", *words)
        done = protected.abops(*words)
    plan: dict[str, Any] | None = json.loads(done.stdout)[0] if done.returncode == 0 else None
    return plan, done.stderr


def missing_segments(protected: Protected) -> Told:
    """Take seven segments out of both regions; ask for a point among them."""
    database = protected.database
    database.sql("CREATE TABLE step (number int, at timestamptz)")
    made(protected, "--type", "full")
    names, moments = [], []
    for number in range(BEFORE + GONE + 1):
        write = f"INSERT INTO step SELECT {number}, clock_timestamp() RETURNING at"
        moments.append(database.sql(write))
        if number < BEFORE:
            # A repository counts whole seconds.
            database.sql("SELECT pg_sleep(1.1)")
        names.append(protected.switch())
    gone = names[BEFORE : BEFORE + GONE]
    asyncio.run(_take_away(protected, "eu", gone))
    whole = planned(protected, "--time", moments[BEFORE + 2])
    assert {"eu", "us"} == {name.strip() for name in whole["log_asked_of"].split(",")}
    asyncio.run(_take_away(protected, "us", gone))
    found, seconds = timed(lambda: checked(protected))
    assert {"eu": GONE, "us": GONE} == {name: one["gap_segments"] for name, one in found.items()}
    plan, refusal = _asked(protected, "--time", moments[BEFORE + 2])
    assert plan is None
    assert f"lies behind a hole in the log: {gone[0]} is missing" in refusal
    last = _LAST.search(" ".join(refusal.split()))
    assert last is not None, refusal
    rows = restored(protected, "SELECT coalesce(max(number), -1) FROM step", "--time", last[1])
    before = [number for number, at in enumerate(moments) if at <= last[1]]
    lost = int(rows != str(max(before, default=-1)))
    kinds = scheduled(protected)
    assert {"eu": "full", "us": "full"} == kinds
    told = f"gap of {GONE} in each region; a point in it refused, {last[1]} named and reached"
    return Told(f"{GONE} segments from {gone[0]} deleted in both", told, seconds, lost, 1)


async def _take_away(protected: Protected, name: str, segments: Sequence[str]) -> None:
    store, place = store_of(protected, name), protected.destination(name)
    prefix = f"{place.folder}/archive/{protected.site.stanza}".strip("/")
    listed = [one.path for one in await store.list(prefix)]
    paths = [path for path in listed if path.rpartition("/")[2].split("-")[0] in segments]
    assert len(segments) == len(paths)
    await store.delete(paths)
