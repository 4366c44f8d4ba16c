"""Damage, planted in a copy of a repository to see whether it is found.

A copy shares its files with others by hard links: a file is never changed in place, it is
replaced, so that only this copy is damaged.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Struct

from abops.kernel.errors import OpsError

GONE_SEGMENTS: Final = 7
_COMPRESSED: Final = "*-" + "[0-9a-f]" * 40 + "*"


class NothingToDamageError(OpsError):
    """The repository holds too little to plant damage in."""

    hint = "It needs a full set and some segments of log: abops backup run, then try again."


class Damage(Struct, frozen=True):
    """A kind of damage: how it is done, and as what it must be found."""

    name: str
    codes: frozenset[str]
    """One of these must be found, without knowing what the objects were before."""
    plant: Callable[[Path, str], str]
    """Does it to the repository of a stanza in a folder; says to what."""
    in_set: bool = True
    """Whether it is about an object of a set, so that the listing must show it as well."""


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    _replace(path, bytes(content))


def _replace(path: Path, content: bytes) -> None:
    staged = path.with_name(f"{path.name}.damaged")
    staged.write_bytes(content)
    staged.replace(path)


def _full(folder: Path, stanza: str) -> Path:
    """Return the newest full set: what is in it, increments need."""
    found = sorted((folder / "backup" / stanza).glob("*F"))
    if not found:
        raise NothingToDamageError("there is no full set to damage")
    return found[-1]


def _data(folder: Path, stanza: str) -> Path:
    """Return the biggest object of the newest full set that is data."""
    objects = [path for path in _full(folder, stanza).rglob("*") if path.is_file()]
    data = [path for path in objects if not path.name.startswith("backup.manifest")]
    if not data:
        raise NothingToDamageError("the full set has no objects")
    return max(data, key=lambda path: (path.stat().st_size, path.name))


def _segments(folder: Path, stanza: str) -> list[Path]:
    found = sorted((folder / "archive" / stanza).glob(f"*/*/{_COMPRESSED}"))
    if len(found) < 3:  # noqa: PLR2004 - one to take away between two that stay
        raise NothingToDamageError(f"there are only {len(found)} segments of log")
    return found


def _flipped_object(folder: Path, stanza: str) -> str:
    path = _data(folder, stanza)
    _flip(path)
    return path.name


def _truncated_object(folder: Path, stanza: str) -> str:
    path = _data(folder, stanza)
    content = path.read_bytes()
    _replace(path, content[: len(content) // 2])
    return path.name


def _deleted_object(folder: Path, stanza: str) -> str:
    path = _data(folder, stanza)
    path.unlink()
    return path.name


def _deleted_manifest(folder: Path, stanza: str) -> str:
    path = _full(folder, stanza) / "backup.manifest"
    path.unlink()
    return path.name


def _flipped_manifest(folder: Path, stanza: str) -> str:
    path = _full(folder, stanza) / "backup.manifest.copy"
    _flip(path)
    return path.name


def _lost_set(folder: Path, stanza: str) -> str:
    full = _full(folder, stanza)
    for path in full.rglob("*"):
        if path.is_file():
            path.unlink()
    return full.name


def _lost_info(folder: Path, stanza: str) -> str:
    path = folder / "backup" / stanza / "backup.info"
    path.unlink()
    return path.name


def _gap(folder: Path, stanza: str) -> str:
    found = _segments(folder, stanza)
    count = min(GONE_SEGMENTS, len(found) - 2)
    gone = found[-1 - count : -1]
    for path in gone:
        path.unlink()
    return f"{count} segments from {gone[0].name[:24]}"


def _flipped_segment(folder: Path, stanza: str) -> str:
    path = _segments(folder, stanza)[-2]
    _flip(path)
    return path.name[:24]


def _other_content(folder: Path, stanza: str) -> str:
    """Store a segment under another hash, as if another server had written it."""
    path = _segments(folder, stanza)[-2]
    front, _, rest = path.name.partition("-")
    os.rename(path, path.with_name(f"{front}-{'0' * 40}{rest[40:]}"))  # noqa: PTH104
    return front


DAMAGES: Final = (
    Damage("a byte of an object flipped", frozenset({"object"}), _flipped_object),
    Damage("an object truncated", frozenset({"object"}), _truncated_object),
    Damage("an object deleted", frozenset({"object"}), _deleted_object),
    Damage("a manifest deleted", frozenset({"manifest"}), _deleted_manifest),
    Damage("a manifest's copy flipped", frozenset({"manifest"}), _flipped_manifest),
    Damage("all objects of a set deleted", frozenset({"unsaid", "object"}), _lost_set),
    Damage("backup.info deleted", frozenset({"manifest"}), _lost_info, in_set=False),
    Damage("segments of log gone", frozenset({"gap"}), _gap, in_set=False),
    Damage("a segment flipped", frozenset({"log"}), _flipped_segment, in_set=False),
    Damage("a segment with another hash", frozenset({"differs"}), _other_content, in_set=False),
)
