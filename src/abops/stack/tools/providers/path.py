"""Programs that are already on this machine: on PATH, or in folders that the lock names."""

import shutil
from pathlib import Path

from abops.stack.tools.lock import PathProvider, Tool
from abops.stack.tools.providers.outcome import PassedOverError, Provided
from abops.stack.tools.versions import parse_version


def provide(tool: Tool, provider: PathProvider) -> Provided:
    """Return where each program is. All of them must be in one folder or on PATH."""
    for pattern in provider.needs:
        if not any(Path("/").glob(pattern.removeprefix("/"))):
            raise PassedOverError(f"no {Path(pattern).name} on this machine")
    for folder in _folders(provider):
        programs = {name: folder / name for name in tool.programs}
        if all(path.exists() for path in programs.values()):
            return Provided({name: str(path) for name, path in programs.items()})
    found: dict[str, str] = {}
    for name in tool.programs:
        path = next(filter(None, map(shutil.which, provider.names.get(name, (name,)))), None)
        if path is None:
            raise PassedOverError(f"no {name} on PATH")
        found[name] = path
    return Provided(found)


def _folders(provider: PathProvider) -> list[Path]:
    """Return the folders that match the lock's patterns, newest version first."""
    matches = [
        path for pattern in provider.folders for path in Path("/").glob(pattern.removeprefix("/"))
    ]
    return sorted(matches, key=lambda path: parse_version(path.parent.name), reverse=True)
