"""The installer on real files: a server on loopback, apt where there is one, a cache of its own."""

import functools
import hashlib
import os
import shutil
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest

from abops.stack.tools.cache import read_record
from abops.stack.tools.install import Options, Result, install_all
from abops.stack.tools.lock import (
    AptExtractProvider,
    DownloadProvider,
    PathProvider,
    Provider,
    Tool,
    VersionProbe,
)
from abops.stack.tools.providers.apt import machine_mirror

SCRIPT = "#!/bin/sh\necho greeter version 3.1.4\n"


def a_tool(*providers: Provider, minimum: str = "3.0", program: str = "greeter") -> Tool:
    probe = VersionProbe(("--version",), r"(\d+\.\d+\.\d+)")
    return Tool((program,), minimum, probe, ("test",), providers, name="greeter", key="k1")


def installed(tool: Tool, options: Options | None = None) -> Result:
    results = install_all([tool], options or Options(), lambda _name, _text: None, lambda _r: None)
    return results[0]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("ABOPS_TOOLS_DIR", str(folder))
    return folder


@pytest.fixture
def releases(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address that serves it."""
    folder = tmp_path / "releases"
    folder.mkdir()
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def packed(folder: Path, name: str) -> str:
    """Pack the script into an archive of that name; return its sha256."""
    script = folder / "greeter"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    if name.endswith(".zip"):
        with zipfile.ZipFile(folder / name, "w") as bundle:
            bundle.write(script, "bin/greeter")
    else:
        with tarfile.open(folder / name, "w:gz") as bundle:
            bundle.add(script, "bin/greeter")
    return hashlib.sha256((folder / name).read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["greeter.tar.gz", "greeter.zip"])
def test_a_pinned_release_is_installed_once(releases: tuple[Path, str], name: str) -> None:
    folder, url = releases
    sha256 = packed(folder, name)
    tool = a_tool(DownloadProvider(f"{url}/{name}", sha256, {"greeter": "bin/greeter"}))
    first = installed(tool)
    assert first.record is not None, first.reasons
    assert ("3.1.4", "download") == (first.record.version, first.record.provider)
    assert first.record == read_record(tool)
    (folder / name).unlink()
    assert installed(tool).cached


def test_a_tool_that_is_done_is_told_while_another_is_still_on_its_way() -> None:
    told = threading.Event()

    class AfterTheOther(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404 if told.wait(10) else 503)

        def log_message(self, *_words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), AfterTheOther)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    here = PathProvider(names={"greeter": ("true",)})
    quick = a_tool(here)
    quick = msgspec.structs.replace(quick, version=VersionProbe((), "x", assume="3.1"))
    url = f"http://127.0.0.1:{server.server_address[1]}/slow.zip"
    slow = msgspec.structs.replace(a_tool(DownloadProvider(url, "0" * 64, {})), name="slow")
    order: list[str] = []

    def done(result: Result) -> None:
        order.append(result.tool.name)
        told.set()

    try:
        results = install_all([slow, quick], Options(), lambda _name, _text: None, done)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert ["greeter", "slow"] == order
    assert ["slow", "greeter"] == [result.tool.name for result in results]
    assert "404" in results[0].reasons[0]


def test_a_wrong_sum_deletes_the_file_and_the_next_provider_is_asked(
    releases: tuple[Path, str], cache: Path
) -> None:
    folder, url = releases
    sha256 = packed(folder, "good.tar.gz")
    packed(folder, "bad.zip")
    programs = {"greeter": "bin/greeter"}
    result = installed(
        a_tool(
            DownloadProvider(f"{url}/bad.zip", "0" * 64, programs),
            DownloadProvider(f"{url}/gone.zip", "0" * 64, programs),
            DownloadProvider(f"{url}/good.tar.gz", sha256, programs),
        )
    )
    assert result.record is not None
    assert 2 == len(result.reasons)
    assert result.reasons[0].startswith("download: bad.zip has sha256 ")
    assert result.reasons[1].startswith("download: gone.zip could not be downloaded: ")
    assert [] == [*cache.rglob("bad.zip"), *cache.rglob(".new-*")]


def test_a_program_that_is_too_old_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed(tmp_path, "unused.zip")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert "3.1.4" == getattr(installed(a_tool(PathProvider())).record, "version", None)
    old = installed(a_tool(PathProvider(), minimum="4.0", program="greeter"), Options())
    assert old.cached  # the entry's key is the same: its record stands


def test_reasons_are_given_for_everything_that_cannot_work_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tool = a_tool(
        PathProvider(),
        AptExtractProvider(("greeter",), {"greeter": "usr/bin/greeter"}),
        DownloadProvider("http://127.0.0.1:9/x.zip", "0" * 64, {}),
    )
    offline = installed(tool, Options(offline=True))
    assert None is offline.record
    assert (
        "path: no greeter on PATH",
        "apt-extract: needs the network (--offline)",
        "download: needs the network (--offline)",
    ) == offline.reasons
    monkeypatch.setenv("PATH", str(tmp_path))
    bare = installed(tool)
    assert "apt-extract: no apt-get here: not a Debian machine" == bare.reasons[1]


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="not a Debian machine")
@pytest.mark.parametrize("suite", [None, "trixie"])
def test_a_package_is_unpacked_without_being_installed(suite: str | None, cache: Path) -> None:
    provider = AptExtractProvider(("hostname",), {"hostname": "usr/bin/hostname"}, suite=suite)
    if suite is None:
        provider = AptExtractProvider(("hostname",), {"hostname": "bin/hostname"})
    probe = VersionProbe(("--version",), r"hostname (\d+\.\d+)")
    tool = Tool(("hostname",), "3", probe, ("test",), (provider,), name="hostname", key="k")
    result = installed(tool)
    assert result.record is not None, result.reasons
    assert result.record.programs["hostname"].startswith(str(cache))


def test_the_mirror_is_debians_own_and_not_a_vendors(tmp_path: Path) -> None:
    folder = tmp_path / "sources.list.d"
    folder.mkdir()
    (folder / "a-vendor.list").write_text("deb https://vendor.example/linux/debian stable main\n")
    (folder / "debian.sources").write_text(
        "Types: deb\nEnabled: no\nURIs: http://off.example/debian\n\n"
        "Types: deb\n# http://old.example/debian\nURIs: http://deb.example/debian\n"
    )
    assert "http://deb.example/debian" == machine_mirror(tmp_path)
