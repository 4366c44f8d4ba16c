"""What differs between two bundles, by keys and hashes: never a value, for values are secrets.

A file that is read as keys and values (JSON, YAML, an engine's or PostgreSQL's configuration) is
compared key by key. The hashes are salted by whoever asks: a short password could be found from
its bare hash.
"""

import configparser
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, Literal

import msgspec
import yaml

Change = Literal["added", "removed", "changed"]


class Difference(msgspec.Struct, frozen=True):
    """One key that differs. Hashes are the first eight digits; empty where there is none."""

    member: str
    key: str
    change: Change
    before: str
    after: str


def differences(
    before: Mapping[str, bytes], after: Mapping[str, bytes], salt: bytes
) -> tuple[Difference, ...]:
    """Return what differs between the members of two bundles, by name and key."""
    found: list[Difference] = []
    for name in sorted(set(before) | set(after)):
        if before.get(name) == after.get(name):
            continue
        old = _hashed(name, before.get(name), salt)
        new = _hashed(name, after.get(name), salt)
        found.extend(
            _difference(name, key, old.get(key, ""), new.get(key, ""))
            for key in sorted(set(old) | set(new))
            if old.get(key) != new.get(key)
        )
    return tuple(found)


def _difference(name: str, key: str, before: str, after: str) -> Difference:
    change: Change = "changed" if before and after else "added" if after else "removed"
    return Difference(name, key, change, before, after)


def _hashed(name: str, content: bytes | None, salt: bytes) -> dict[str, str]:
    if content is None:
        return {}
    return {
        key: hmac.new(salt, value, hashlib.sha256).hexdigest()[:8]
        for key, value in _keys(name, content).items()
    }


def _keys(name: str, content: bytes) -> dict[str, bytes]:
    """Return the values of a file by key; the whole file under no key when it has none."""
    try:
        read = _READERS.get(PurePosixPath(name).suffix)
        found = dict(read(content.decode())) if read else {}
    except (ValueError, yaml.YAMLError, configparser.Error):
        found = {}
    return found or {"": content}


def _json(text: str) -> Iterator[tuple[str, bytes]]:
    return _flat(json.loads(text), "")


def _yaml(text: str) -> Iterator[tuple[str, bytes]]:
    for number, document in enumerate(yaml.load_all(text, Loader=yaml.CSafeLoader)):
        yield from _flat(document, f"{number}." if number else "")


def _conf(text: str) -> Iterator[tuple[str, bytes]]:
    """Read sections of options; PostgreSQL's file has options only."""
    reader = configparser.RawConfigParser(
        strict=False, delimiters=("=",), comment_prefixes=("#", ";"), allow_no_value=True
    )
    reader.read_string(text if text.lstrip().startswith("[") else f"[]\n{text}")
    for section in reader.sections():
        for key, value in reader.items(section):
            yield f"{section}.{key}".lstrip("."), (value or "").encode()


def _flat(value: Any, key: str) -> Iterator[tuple[str, bytes]]:  # noqa: ANN401 - any document
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _flat(inner, f"{key}{name}.")
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from _flat(inner, f"{key}{_label(inner, number)}.")
    else:
        yield key.rstrip("."), json.dumps(value, default=str).encode()


def _label(value: object, number: int) -> str:
    """Name an element by its name when it has one: a new one in front moves no other."""
    name = value.get("name") if isinstance(value, dict) else None
    return str(name) if name else str(number)


_READERS = {".json": _json, ".yaml": _yaml, ".yml": _yaml, ".conf": _conf}
