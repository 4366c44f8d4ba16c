"""A home from a bundle, on the machine that lost it or on an empty one.

Paths are those of the machine where the bundle was made: where the home lies elsewhere now, its
files are told so. Certificates come to lie inside the home, for nothing else is certain to be
there. What is not the home (inventory, roles, settings, code, objects of a cluster) is laid beside
it for a person, or for the commands that apply it.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from abops.backup.configuration.archive import Bundle
from abops.backup.configuration.collect import CERTIFICATES, HOME
from abops.backup.configuration.errors import BundleError
from abops.backup.model import Home
from abops.kernel.files import write_atomic

LEFTOVERS: Final = "recovered"
_CONF: Final = re.compile(r"^[\w-]+\.g\d+\.conf$")
_WORK: Final = re.compile(r"^(?:lock|spool|log)-path=(.+)$", re.MULTILINE)


class HomeThereError(BundleError):
    """There is a home already."""

    hint = "Without --bootstrap the bundle's files replace those that differ: see --dry-run."


def home_files(bundle: Bundle, home: Home, *, bootstrap: bool) -> dict[str, bytes]:
    """Return the home's files as they must be where `home` lies now, by path below it.

    Where there is a home already, certificates that are in their place stay there.
    """
    there = frozenset() if bootstrap else _in_place(bundle)
    moved = _moves(bundle, home, there)
    files = {
        name.removeprefix(f"{HOME}/"): _moved(content, moved)
        for name, content in bundle.members.items()
        if name.startswith(f"{HOME}/")
    }
    if "site.json" not in files:
        raise BundleError("the bundle holds no home")
    return files | {
        name: content
        for name, content in bundle.members.items()
        if name.startswith(f"{CERTIFICATES}/") and name not in there
    }


def bring_back(bundle: Bundle, home: Home, *, bootstrap: bool) -> tuple[Path, ...]:
    """Write the home's files; what is there and equal stays untouched. Return what was written."""
    if bootstrap and home.site.exists():
        raise HomeThereError(f"{home.folder} protects a database already")
    home.folder.mkdir(parents=True, exist_ok=True)
    home.folder.chmod(0o700)
    home.secrets.mkdir(mode=0o700, exist_ok=True)
    files = home_files(bundle, home, bootstrap=bootstrap)
    written = []
    for name, content in files.items():
        path = home.folder / name
        if not path.is_file() or path.read_bytes() != content:
            # The site comes last: with it, the folder is a home.
            written.append((name == "site.json", path, content))
    for _, path, content in sorted(written, key=lambda one: one[:2]):
        open_to_all = path.suffix == ".crt" or path == home.site
        write_atomic(path, content, mode=0o644 if open_to_all else 0o600)
    _make_folders(home, files)
    return tuple(path for _, path, _ in written)


def lay_beside(bundle: Bundle, folder: Path) -> tuple[Path, ...]:
    """Write what is not the home into a folder that is closed to others."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    written = []
    for name, content in bundle.members.items():
        if not name.startswith((f"{HOME}/", f"{CERTIFICATES}/")):
            path = folder / name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomic(path, content, mode=0o600)
            written.append(path)
    return tuple(written)


def _make_folders(home: Home, files: Mapping[str, bytes]) -> None:
    """Make what the engine wants to find: its configurations name them."""
    for folder in (home.drills, home.programs):
        folder.mkdir(exist_ok=True)
    for name, content in files.items():
        if _CONF.match(name):
            for path in _WORK.findall(content.decode()):
                Path(path).mkdir(parents=True, exist_ok=True)


def _in_place(bundle: Bundle) -> frozenset[str]:
    """Return the certificates that lie, unchanged, where they lay when the bundle was made."""
    return frozenset(
        part
        for part, old in bundle.origin.items()
        if part != HOME and Path(old).is_file() and Path(old).read_bytes() == bundle.members[part]
    )


def _moves(bundle: Bundle, home: Home, there: frozenset[str]) -> dict[str, str]:
    """Return where paths of the old machine lie now, the longest first."""
    moves = {
        old: str(home.folder if part == HOME else home.folder / part)
        for part, old in bundle.origin.items()
        if part not in there
    }
    return dict(sorted(moves.items(), key=lambda one: -len(one[0])))


def _moved(content: bytes, moves: Mapping[str, str]) -> bytes:
    """Return a file with its paths where they are now, each replaced once and as a whole."""
    if not moves:
        return content
    whole = re.compile(
        b"(?<![\\w./-])(" + b"|".join(re.escape(old.encode()) for old in moves) + b")(?![\\w.-])"
    )
    return whole.sub(lambda found: moves[found[1].decode()].encode(), content)
