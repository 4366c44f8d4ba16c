"""What a scene tells, and the questions that several ask."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from abops.backup.model import Timetable
from abops.backup.postgres.credentials import credentials_of
from abops.backup.postgres.site import save_site
from abops.clients.objectstore import Store, open_store
from support.backup import Protected, give_to_owner

NEVER: Final = "1000000000s"
"""Last came in 2001, and comes again in decades."""


@dataclass(frozen=True)
class Told:
    """One fault: what was done, what was seen of it, and how many acknowledged things were lost."""

    injected: str
    detected: str
    seconds: float
    """From the fault, or from the question about it, to the answer."""
    lost: int
    counted: int
    """How many acknowledged things (rows, segments, sets) were looked for afterwards."""
    more: str = ""


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """Return what a call gives, and its seconds."""
    began = time.monotonic()
    return call(), time.monotonic() - began


def made(protected: Protected, *words: str) -> dict[str, dict[str, Any]]:
    """Make backups; return what came of each by destination."""
    done = protected.abops("run", *words, "--output", "json", timeout_s=600)
    assert done.stdout, done.stderr
    return {one["destination"]: one for one in json.loads(done.stdout)}


def checked(protected: Protected, *words: str) -> dict[str, dict[str, Any]]:
    """Verify; return what was found by destination, the exit code told by nobody trusted alone."""
    done = protected.abops("verify", *words, "--output", "json", timeout_s=600)
    assert done.stdout, done.stderr
    found = {one["destination"]: one for one in json.loads(done.stdout)}
    failed = any(one["outcome"] == "failed" for one in found.values())
    assert (1 if failed else 0) == done.returncode, done.stderr
    return found


def critical(check: dict[str, Any]) -> list[str]:
    """Return the messages of what was found critical."""
    return [one["message"] for one in check["findings"] if one["severity"] == "critical"]


def store_of(protected: Protected, name: str) -> Store:
    """Return the door to the objects of a destination."""
    place = protected.destination(name)
    return open_store(place, credentials_of(protected.home, place))


@contextmanager
def only_backups(protected: Protected) -> Iterator[None]:
    """Have a timetable while the block runs that makes backups and nothing else."""
    site = protected.site
    never = {"verify": NEVER, "drill": NEVER, "config_every_s": 1e9}
    _save(protected, msgspec.structs.replace(site.schedule, **never))
    try:
        yield
    finally:
        _save(protected, site.schedule)


def _save(protected: Protected, timetable: Timetable) -> None:
    save_site(protected.home, msgspec.structs.replace(protected.site, schedule=timetable))
    give_to_owner(protected.home.site)


def scheduled(protected: Protected) -> dict[str, str]:
    """Have done what is due now; return the kind of the backup that each destination got."""
    with only_backups(protected):
        done = protected.abops("schedule", "--once", "--output", "json", timeout_s=600)
    assert done.stdout, done.stderr
    kinds = {}
    for one in json.loads(done.stdout):
        name, kind, _ = str(one["run"]).split("-", 2)
        if kind in {"full", "incr"}:
            assert "success" == one["outcome"], one
            kinds[name] = kind
    return kinds


class NotPlayedError(Exception):
    """This scene cannot be played on this machine; the message says why."""
