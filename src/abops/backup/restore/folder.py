"""The folder that is restored into: how it is now, and what we leave in it.

What was restored, from where and to which point is written beside the data itself: the folder may
be renamed or moved, and whoever finds it a week later must know what it is.
"""

import shutil
from pathlib import Path
from typing import Final

import msgspec

from abops.backup.restore.request import Place
from abops.clients.postgres_server import running_pid
from abops.kernel.errors import OpsError
from abops.kernel.files import write_atomic

RECORD: Final = "abops-restore.json"


class NotRestoredError(OpsError):
    """This folder was not made by a restore."""

    hint = "Make one with abops backup restore --to-dir DIR."


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What lies in a restored folder."""

    source: str
    label: str
    target: str
    target_at: float | None
    """The moment asked for; None when it was no time."""
    began: float
    fetch_s: float
    segments: int
    verified_at: float | None = None
    """When it was started, compared and found good."""


def place_of(folder: Path) -> Place:
    """Look at a folder, there or not."""
    folder = folder.absolute()
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    try:
        empty = not folder.is_dir() or not any(folder.iterdir())
    except PermissionError as error:
        raise OpsError(
            f"{folder} is closed to the database's owner", hint="Name a folder that he can write."
        ) from error
    return Place(
        folder=folder,
        empty=empty and not folder.is_file(),
        live=running_pid(folder) is not None,
        cluster=(folder / "PG_VERSION").is_file(),
        free=shutil.disk_usage(there).free,
    )


def write_record(folder: Path, record: Record) -> None:
    """Say in the folder what lies in it."""
    text = msgspec.json.format(msgspec.json.encode(record))
    write_atomic(folder / RECORD, text + b"\n", mode=0o600)


def read_record(folder: Path) -> Record:
    """Return what lies in a restored folder. Raises NotRestoredError."""
    try:
        return msgspec.json.decode((folder / RECORD).read_bytes(), type=Record)
    except (OSError, msgspec.MsgspecError) as error:
        raise NotRestoredError(f"{folder} was not made by a restore") from error
