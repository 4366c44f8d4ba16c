"""Installing tools: providers in the lock's order, lanes beside each other.

apt runs one at a time, wheels and downloads beside it, and the Go build, the longest, beside
both. A tool's tree is prepared in a folder of its own and put in place by one rename.
"""

import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import msgspec

from abops.kernel.clock import Clock, SystemClock
from abops.stack.tools import lock
from abops.stack.tools.cache import Record, locked, place_of, read_record, write_record
from abops.stack.tools.lock import Provider, Tool, kind_of
from abops.stack.tools.providers import apt, archive, golang, maven, npm, path
from abops.stack.tools.providers.outcome import PassedOverError, Provided, run
from abops.stack.tools.versions import is_within

_OFFLINE = (lock.PathProvider,)
_LANES = {name: threading.Lock() for name in ("apt", "go", "maven", "node", "wheel")}


class Options(msgspec.Struct, frozen=True):
    """What the caller allows: one provider only, or nothing that needs the network."""

    provider: str | None = None
    offline: bool = False


class Result(msgspec.Struct, frozen=True):
    """How one tool came out. `record` is None when nobody could provide it."""

    tool: Tool
    record: Record | None
    reasons: tuple[str, ...] = ()
    cached: bool = False


def install_all(
    tools: Iterable[Tool],
    options: Options,
    report: Callable[[str, str], None],
    done: Callable[[Result], None],
    clock: Clock | None = None,
) -> list[Result]:
    """Install what is missing and return one result per tool, in the order of `tools`.

    `report(tool name, text)` is called as each tool moves on, from several threads;
    `done(result)` as soon as a tool that was not there is, or cannot be.
    """
    wanted = list(tools)
    found = {tool.name: read_record(tool) for tool in wanted}
    results = {
        name: Result(next(t for t in wanted if t.name == name), record, cached=True)
        for name, record in found.items()
        if record is not None
    }
    missing = [tool for tool in wanted if tool.name not in results]
    with ThreadPoolExecutor(max_workers=max(1, len(missing))) as pool:
        jobs = [
            pool.submit(_install, tool, options, report, clock or SystemClock()) for tool in missing
        ]
        for job in as_completed(jobs):
            result = job.result()
            results[result.tool.name] = result
            done(result)
    return [results[tool.name] for tool in wanted]


def _install(
    tool: Tool, options: Options, report: Callable[[str, str], None], clock: Clock
) -> Result:
    reasons: list[str] = []
    with locked(tool.name):
        record = read_record(tool)  # another installer may have been here while we waited
        if record is not None:
            return Result(tool, record, cached=True)
        for provider in tool.providers:
            kind = kind_of(provider)
            try:
                _check_allowed(provider, kind, options)
                record = _try_provider(tool, provider, report, clock)
            except PassedOverError as reason:
                reasons.append(f"{kind}: {reason}")
                continue
            except OSError as error:
                reasons.append(f"{kind}: {error.strerror or error}")
                continue
            return Result(tool, record, tuple(reasons))
    return Result(tool, None, tuple(reasons))


def _check_allowed(provider: Provider, kind: str, options: Options) -> None:
    if options.provider and options.provider not in (kind, kind.split(":", maxsplit=1)[0]):
        raise PassedOverError(f"not asked for (--provider {options.provider})")
    if options.offline and not isinstance(provider, _OFFLINE):
        raise PassedOverError("needs the network (--offline)")


def _try_provider(
    tool: Tool, provider: Provider, report: Callable[[str, str], None], clock: Clock
) -> Record:
    started = clock.monotonic()
    place = place_of(tool)
    place.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=place.parent, prefix=".new-"))
    try:
        tree = work / "tree"
        provided = _provide(tool, provider, tree, report)
        programs = _locate(tool, provided, tree)
        version = _version(tool, provider, programs)
        shutil.rmtree(place, ignore_errors=True)
        if tree.exists():
            tree.rename(place)
        seconds = round(clock.monotonic() - started, 1)
        moved = {
            name: str(place / file.relative_to(tree)) if file.is_relative_to(tree) else str(file)
            for name, file in programs.items()
        }
        final = _with_libraries(moved, provided, place)
        record = Record(tool.name, version, kind_of(provider), seconds, final)
        write_record(tool, record)
        return record
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _provide(
    tool: Tool, provider: Provider, tree: Path, report: Callable[[str, str], None]
) -> Provided:
    """Ask one provider; each kind waits for its lane."""

    def say() -> None:
        report(tool.name, f"{kind_of(provider)} ...")

    match provider:
        case lock.PathProvider():
            return path.provide(tool, provider)
        case lock.AptInstallProvider():
            with _LANES["apt"]:
                say()
                return apt.install(tool, provider)
        case lock.AptExtractProvider():
            with _LANES["apt"]:
                say()
                return apt.extract(tool, provider, tree)
        case lock.PypiProvider():
            with _LANES["wheel"]:
                say()
                return archive.from_wheel(tool, provider, tree)
        case lock.DownloadProvider():
            with _LANES["wheel"]:
                say()
                return archive.from_release(tool, provider, tree)
        case _:
            return _build(tool, provider, tree, report, say)


def _build(
    tool: Tool,
    provider: lock.GoProvider | lock.MavenProvider | lock.MavenArchiveProvider | lock.NpmProvider,
    tree: Path,
    report: Callable[[str, str], None],
    say: Callable[[], None],
) -> Provided:
    """Build from source; the toolchain comes first, and may itself be installed by it."""
    if isinstance(provider, lock.GoProvider):
        go = _toolchain("go", report)["go"]
        with _LANES["go"]:
            say()
            return golang.build(tool, provider, tree, go)
    if isinstance(provider, lock.NpmProvider):
        node = _toolchain("node", report)
        with _LANES["node"]:
            say()
            return npm.install(tool, provider, tree, node["node"], node["npm"])
    java, mvn = _toolchain("java", report), _toolchain("maven", report)["mvn"]
    with _LANES["maven"]:
        say()
        if isinstance(provider, lock.MavenArchiveProvider):
            return maven.unpack_artifact(tool, provider, tree, mvn)
        return maven.build(tool, provider, tree, mvn, java["javac"])


def _toolchain(name: str, report: Callable[[str, str], None]) -> dict[str, Path]:
    """Return the programs that build others, installed when the machine has none that will do."""
    result = _install(lock.read_lock()[name], Options(), report, SystemClock())
    if result.record is None:
        raise PassedOverError(f"no {name} ({'; '.join(result.reasons)})")
    return {program: Path(file) for program, file in result.record.programs.items()}


def _locate(tool: Tool, provided: Provided, tree: Path) -> dict[str, Path]:
    """Return an executable path per program of the tool. Relative ones lie in `tree`."""
    programs = provided.programs
    if "" in programs:  # the provider named a folder
        programs = {name: f"{programs['']}/{name}" for name in tool.programs}
    located = {name: tree / file for name, file in programs.items()}  # absolute ones stay
    for name in tool.programs:
        if name not in located or not located[name].exists():
            raise PassedOverError(f"it gave no {name}")
        if located[name].is_relative_to(tree):
            located[name].chmod(0o755)
    return located


def _version(tool: Tool, provider: Provider, programs: dict[str, Path]) -> str:
    """Run the tool's first program and return its version, if the lock accepts it."""
    libraries = getattr(provider, "libraries", ())
    first = programs[tool.programs[0]]
    env = None
    if libraries:
        root = next(parent for parent in first.parents if parent.name == "tree")
        env = {"LD_LIBRARY_PATH": ":".join(str(root / folder) for folder in libraries)}
    output = run([first, *tool.version.arguments], env=env, timeout_s=60)
    match = re.search(tool.version.pattern, output)
    version = (match[1] if match else "") or tool.version.assume
    if not version:
        raise PassedOverError(f"{first.name} does not tell its version")
    if not is_within(version, tool.min, tool.below):
        wanted = f">= {tool.min}" + (f", < {tool.below}" if tool.below else "")
        raise PassedOverError(f"version {version}, wanted {wanted}")
    return version


def _with_libraries(programs: dict[str, str], provided: Provided, place: Path) -> dict[str, str]:
    """Put a starter in front of programs that must be told where they were unpacked."""
    if not (provided.libraries or provided.arguments):
        return programs
    folders = ":".join(str(place / folder) for folder in provided.libraries)
    words = "".join(f' "{word.replace("{tree}", str(place))}"' for word in provided.arguments)
    starters = {}
    for name, file in programs.items():
        starter = place / "starters" / name
        starter.parent.mkdir(exist_ok=True)
        text = f'#!/bin/sh\nLD_LIBRARY_PATH={folders} exec "{file}"{words} "$@"\n'
        starter.write_text(text)
        starter.chmod(0o755)
        starters[name] = str(starter)
    return starters
