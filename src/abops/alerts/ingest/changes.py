"""Reading what was changed: a deploy, a migration, a switch. Most incidents follow one."""

from datetime import datetime
from hashlib import blake2b
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from abops.alerts.ingest.generic import Moment, real
from abops.alerts.ingest.webhook import malformed

MOST: Final = 1_000
_UNIT: Final = "\x1f"
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Text = Annotated[str, Meta(max_length=500)]


class Change(Struct, frozen=True):
    """Something that was changed."""

    kind: Name
    """deploy, migration, config, flag, scale: any word."""
    service: Name
    title: Annotated[str, Meta(min_length=1, max_length=500)]
    env: Text = ""
    """Empty: every environment."""
    url: Annotated[str, Meta(max_length=2_000)] = ""
    actor: Text = ""
    at: Moment | None = None
    """None: now."""
    key: Text = ""
    """Identifies it for whoever sends it: twice the same is one. Empty: its content does."""


def decode_changes(body: bytes, now: datetime) -> tuple[tuple[str, float, Change], ...]:
    """Return key, time and content of one change or of a list; raises MalformedBodyError."""
    try:
        if body.lstrip()[:1] == b"[":
            changes = msgspec.json.decode(body, type=Annotated[list[Change], Meta(max_length=MOST)])
        else:
            changes = [msgspec.json.decode(body, type=Change)]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise malformed(error, hint=HINT) from error
    found = []
    for change in changes:
        at = (real(change.at) or now).timestamp()
        found.append((_key(change, at), at, change))
    return tuple(found)


HINT: Final = (
    "Send an object with kind, service and title, and env, url, actor, at, key if you have them."
)


def _key(change: Change, at: float) -> str:
    if change.key:
        return f"{change.service}{_UNIT}{change.key}"
    parts = (change.kind, change.service, change.env, change.title, change.url, str(at))
    return blake2b(_UNIT.join(parts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
