"""Programs from Debian's archive: installed, or only unpacked into the cache.

Unpacking needs no root and starts nothing. With `suite`, a private apt state reads another
release of Debian from the machine's own mirror; the archive's signature is the check, since
point releases replace the packages and with them their checksums.
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from abops.kernel.files import write_atomic
from abops.stack.tools.cache import cache_folder
from abops.stack.tools.lock import AptExtractProvider, AptInstallProvider, Tool
from abops.stack.tools.providers.outcome import PassedOverError, Provided, run

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
POLICY = Path("/usr/sbin/policy-rc.d")
CLUSTER_CONFIG = Path("/etc/postgresql-common/createcluster.conf")
_MIRROR = re.compile(r"https?://[^\s\]]+/debian/?(?=\s|$)", re.MULTILINE)


def install(tool: Tool, provider: AptInstallProvider) -> Provided:
    """Install the packages without recommends; no service is started by it."""
    del tool
    _require("apt-get")
    if os.geteuid() != 0:
        raise PassedOverError("installing needs root")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    _refresh_lists(provider.packages, env)
    command = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends"]
    command += ["-o", "Dpkg::Options::=--force-confold", "-o", "DPkg::Lock::Timeout=300"]
    with _nothing_starts(), _no_main_cluster():
        run([*command, *provider.packages], env=env)
    return Provided(_programs(provider))


def extract(tool: Tool, provider: AptExtractProvider, tree: Path) -> Provided:
    """Download the packages and unpack them into `tree`."""
    del tool
    _require("apt-get")
    _require("dpkg-deb")
    options = _private_state(provider.suite) if provider.suite else []
    if not options:
        _refresh_lists(provider.packages, dict(os.environ))
    downloads = tree / ".downloads"
    downloads.mkdir(parents=True)
    sandbox = ["-o", "APT::Sandbox::User=root"] if os.geteuid() == 0 else []
    run(["apt-get", *options, *sandbox, "download", *provider.packages], cwd=downloads)
    for package in sorted(downloads.glob("*.deb")):
        run(["dpkg-deb", "--extract", package, tree])
    shutil.rmtree(downloads)
    return Provided(_programs(provider), provider.libraries, provider.arguments)


def _programs(provider: AptInstallProvider | AptExtractProvider) -> dict[str, str]:
    """Return the programs that the lock names, or leave the folder to be listed later."""
    return dict(provider.programs) or {"": str(provider.folder)}


def _require(program: str) -> None:
    if shutil.which(program) is None:
        raise PassedOverError(f"no {program} here: not a Debian machine")


def _refresh_lists(packages: tuple[str, ...], env: dict[str, str]) -> None:
    """Update apt's lists if they do not know a package; a fresh machine has none."""
    known = run(["apt-cache", "policy", *packages], env={**env, "LC_ALL": "C"})
    missing = [name for name in packages if f"{name}:\n" not in known]
    if not missing and "Candidate: (none)" not in known:
        return
    if os.geteuid() != 0:
        raise PassedOverError("apt's lists are empty and updating them needs root")
    run(["apt-get", "update", "--quiet", "-o", "DPkg::Lock::Timeout=300"], env=env)


def machine_mirror(sources: Path = Path("/etc/apt")) -> str:
    """Return the address of Debian's archive as this machine's apt sources give it.

    An archive named after a host of Debian's, or called plainly /debian, comes before what a
    vendor keeps below a path of its own.
    """
    files = [sources / "sources.list", *sorted((sources / "sources.list.d").glob("*"))]
    found: list[str] = []
    for file in files:
        text = file.read_text() if file.is_file() else ""
        for stanza in text.split("\n\n"):
            lines = [line for line in stanza.splitlines() if not line.lstrip().startswith("#")]
            if not any(line.lower().replace(" ", "") == "enabled:no" for line in lines):
                found += _MIRROR.findall("\n".join(lines))
    plain = [url for url in found if urlsplit(url).path.strip("/") == "debian"]
    if not (plain or found):
        raise PassedOverError("apt's sources name no Debian archive")
    return (plain or found)[0]


def _private_state(suite: str) -> list[str]:
    """Return apt options for a state of our own that reads `suite`; refresh it once a day."""
    if not KEYRING.exists():
        raise PassedOverError("Debian's archive keyring is not here")
    state = cache_folder() / f".apt-{suite}"
    for folder in ("lists/partial", "archives/partial"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    source = f"deb [signed-by={KEYRING}] {machine_mirror()} {suite} main\n"
    options = [
        f"Dir::Etc::sourcelist={state}/sources.list",
        "Dir::Etc::sourceparts=/dev/null",
        f"Dir::State::lists={state}/lists",
        "Dir::State::status=/dev/null",
        f"Dir::Cache={state}",
        "APT::Sandbox::User=root",
    ]
    arguments = [part for option in options for part in ("-o", option)]
    if not _is_fresh(state, source):
        write_atomic(state / "sources.list", source)
        run(["apt-get", *arguments, "update", "--quiet", "-o", "APT::Update::Error-Mode=any"])
        (state / "updated").touch()
    return arguments


def _is_fresh(state: Path, source: str) -> bool:
    """Tell whether the lists were read from this source not long before this run."""
    listed, updated = state / "sources.list", state / "updated"
    if not (updated.exists() and listed.exists() and listed.read_text() == source):
        return False
    day_s = 86_400
    state.touch()
    return state.stat().st_mtime - updated.stat().st_mtime < day_s


@contextmanager
def _nothing_starts() -> Iterator[None]:
    """Forbid package scripts to start services, unless the machine has a policy of its own."""
    if POLICY.exists():
        yield
        return
    write_atomic(POLICY, "#!/bin/sh\nexit 101\n", mode=0o755)
    try:
        yield
    finally:
        POLICY.unlink(missing_ok=True)


@contextmanager
def _no_main_cluster() -> Iterator[None]:
    """Keep PostgreSQL's packages from making a cluster that nobody asked for."""
    if CLUSTER_CONFIG.exists():
        yield
        return
    write_atomic(CLUSTER_CONFIG, "create_main_cluster = false\n")
    yield
