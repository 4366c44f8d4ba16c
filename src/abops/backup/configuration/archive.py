"""One stream of bytes from many files, always the same for the same files.

The order is by name, and no time, owner or permission of this machine goes in: two bundles are
equal when what they hold is equal. A table with the hash of every member goes in first, and
nothing is given back unless each member has its hash.
"""

import hashlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Final

import msgspec

from abops.backup.configuration.errors import BundleError

CONTENTS: Final = "contents.json"
FORMAT: Final = 1


class Contents(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a bundle holds, and where it was: the first member."""

    members: dict[str, str]
    """SHA-256 of each member by its name."""
    origin: dict[str, str] = {}
    """Where things lay: `home`, and the paths that the configurations name."""
    format: int = FORMAT


class Bundle(msgspec.Struct, frozen=True):
    """Members by name, and where they lay. Plain text: it stays in memory."""

    members: Mapping[str, bytes]
    origin: Mapping[str, str] = {}

    def __repr__(self) -> str:
        """Tell how many, never what."""
        return f"Bundle({len(self.members)} members)"


def hashes(bundle: Bundle) -> dict[str, str]:
    """Return the hash of each member: what may be shown."""
    return {name: hashlib.sha256(bundle.members[name]).hexdigest() for name in _names(bundle)}


def pack(bundle: Bundle) -> bytes:
    """Return the bundle as one stream."""
    contents = Contents(members=hashes(bundle), origin=dict(sorted(bundle.origin.items())))
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        _add(archive, CONTENTS, msgspec.json.encode(contents))
        for name in _names(bundle):
            _add(archive, name, bundle.members[name])
    return stream.getvalue()


def unpack(stream: bytes) -> Bundle:
    """Return what was packed. Raises BundleError when anything is missing, added or altered."""
    members: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(stream), mode="r:") as archive:
            for entry in archive:
                content = archive.extractfile(entry)
                if content is None or entry.name in members:
                    raise BundleError(f"{entry.name}: not a plain file, or twice in the bundle")
                members[entry.name] = content.read()
        contents = msgspec.json.decode(members.pop(CONTENTS), type=Contents)
    except (tarfile.TarError, KeyError, EOFError) as error:
        raise BundleError("this is no bundle of configuration") from error
    except msgspec.MsgspecError as error:
        raise BundleError(f"the bundle's table of contents: {error}") from None
    if contents.format != FORMAT:
        raise BundleError(f"the bundle has format {contents.format}, this program reads {FORMAT}")
    bundle = Bundle(members, contents.origin)
    found = hashes(bundle)
    if found != contents.members:
        odd = sorted(set(found.items()) ^ set(contents.members.items()))
        raise BundleError(f"{odd[0][0]} is not what was packed")
    return bundle


def _names(bundle: Bundle) -> list[str]:
    for name in bundle.members:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or str(path) != name or name == CONTENTS:
            raise BundleError(f"{name!r} is no name for a member")
    return sorted(bundle.members)


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    entry.mode = 0o600
    archive.addfile(entry, io.BytesIO(content))
