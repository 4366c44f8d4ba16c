"""Asking the archiver that runs, from a command."""

import os
import socket
from typing import Final

import msgspec

from abops.backup.model import Home
from abops.backup.wal.place import View
from abops.kernel.errors import OpsError

TIMEOUT_S: Final = 10.0


class ArchiverAbsentError(OpsError):
    """The archiver does not run."""

    hint = "Start it: abops backup wal serve. Until then PostgreSQL keeps its log and asks again."


class Status(msgspec.Struct, frozen=True):
    """How the archiver stands."""

    destinations: tuple[View, ...]
    p95_ms: float | None
    """Time after which 95 of 100 segments were answered for."""
    owed_bytes: int
    free_bytes: int


def ask_status(home: Home) -> Status:
    """Return how the archiver stands. Raises ArchiverAbsentError."""
    return msgspec.json.decode(_ask(home, "status"), type=Status)


def ask_drain(home: Home, destinations: tuple[str, ...]) -> None:
    """Have what is owed tried now, also where nobody answered a moment ago."""
    _ask(home, "drain", *destinations)


def ask_reload(home: Home) -> None:
    """Have it go on by the rules that the home's site has now. Raises ArchiverAbsentError."""
    _ask(home, "reload")


def _ask(home: Home, *words: str) -> str:
    handle = os.open(home.folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(TIMEOUT_S)
            # By the folder's handle: the path of a socket may have 107 bytes only.
            line.connect(f"/proc/self/fd/{handle}/{home.socket.name}")
            line.sendall("\0".join(words).encode() + b"\n")
            with line.makefile("rb") as answer:
                code, _, text = answer.readline().decode().partition(" ")
    except (OSError, UnicodeDecodeError) as error:
        raise ArchiverAbsentError(f"the archiver of {home.folder} does not answer") from error
    finally:
        os.close(handle)
    if code != "0":
        raise OpsError(text.strip() or "the archiver refused", hint="abops backup wal status")
    return text
