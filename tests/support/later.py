"""A protected database whose days pass as a test tells them: its clock, the engine's and ours.

Object stores of S3 refuse a signature of another day; the Azure store of the tests does not look.
The days only go on: certificates are not valid yesterday.
"""

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from abops.backup.model import Destination, Keeping
from abops.backup.postgres.credentials import credentials_of
from abops.backup.postgres.site import save_site
from abops.clients.objectstore import open_store
from abops.stack.tools import find_tool
from support.azure import AzureServer
from support.backup import Protected, begin, give_to_owner, protect, run_as_owner
from support.servers import wait_until


@dataclass
class Later:
    """The database, and how many days after today it is there."""

    protected: Protected
    days: float = 0.0

    @property
    def file(self) -> Path:
        """What the database's processes read their offset from."""
        return self.protected.database.folder / "offset"

    @cached_property
    def library(self) -> str:
        words = [str(find_tool("faketime")), "-f", "+0", "printenv", "LD_PRELOAD"]
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()

    def start(self) -> None:
        """Start the database again, with a clock that can be moved."""
        database = self.protected.database
        database.stop()
        self.go(self.days)
        database.environment |= {
            "LD_PRELOAD": self.library,
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        database.start()

    def go(self, days: float) -> None:
        """Make it so many days after today."""
        self.days = days
        self.file.write_text(f"+{days * 86_400:.0f}s\n")
        self.file.chmod(0o644)

    def abops(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """Run `abops backup ...` on that day."""
        return self.protected.abops(*words, env=self.seen)

    @property
    def seen(self) -> Mapping[str, str]:
        """What a command sees besides."""
        offset = f"+{self.days * 86_400:.0f}s"
        return {"LD_PRELOAD": self.library, "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}

    def told(self, *words: str | Path) -> list[dict[str, Any]]:
        """Run a command that must succeed; return its rows."""
        done = self.abops(*words, "--output", "json")
        assert 0 == done.returncode, done.stdout + done.stderr
        return list(json.loads(done.stdout))

    def make(self, kind: str) -> str:
        """Make a set and log after it; return its label."""
        (made,) = self.told("run", "--type", kind)
        for _ in range(2):
            self.end_segment()
        return str(made["label"])

    def end_segment(self) -> str:
        """End a segment; return its name when it is in the store."""
        database = self.protected.database
        database.sql("SELECT pg_logical_emit_message(false, 'test', 'x')")
        name = database.sql("SELECT pg_walfile_name(pg_switch_wal())")
        wait_until(lambda: self.protected.archived() >= name[8:], what=f"{name} archived")
        return name

    def policy(self, **rules: int) -> None:
        """Keep by other rules from now on."""
        home = self.protected.home
        save_site(home, replace(self.protected.site, retention=Keeping(**rules)))
        give_to_owner(home.site)

    @contextmanager
    def engine_keeps(self, days: int) -> Iterator[None]:
        """Have the engine's configuration tell other days than ours while the block runs."""
        config = self.protected.config("azure")
        right = config.read_text()
        config.write_text(re.sub(r"(?m)^(repo1-retention-full)=.*$", rf"\1={days}", right))
        try:
            yield
        finally:
            config.write_text(right)

    def turn_to(self, generation: str) -> None:
        """Make backups with another key from now on."""
        home, site = self.protected.home, self.protected.site
        places = tuple(replace(one, generation=generation) for one in site.destinations)
        save_site(home, replace(site, destinations=places))
        give_to_owner(home.site)
        done = begin(self.protected, "azure")
        assert 0 == done.returncode, done.stderr
        self.protected.archive_directly("azure")

    async def mirrored(self) -> Destination:
        """Have a mirror beside, in the same store; return it."""
        home, site = self.protected.home, self.protected.site
        (source,) = site.destinations
        vault = replace(
            source, name="vault", role="mirror", of=source.name, container=f"{source.container}-v"
        )
        save_site(home, replace(site, destinations=(source, vault)))
        give_to_owner(home.site)
        await open_store(vault, credentials_of(home, vault)).make_container()
        return vault

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """Give a folder that the database's owner may write into."""
        folder = Path(tempfile.mkdtemp(prefix="abops-new-"))
        give_to_owner(folder)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def labels(self) -> list[str]:
        """Return the sets that the store tells of."""
        return [one["label"] for one in self.told("list")]

    def segments(self) -> list[str]:
        """Return the names of the segments that the store lists."""
        config = self.protected.config("azure")
        words = [str(self.protected.site.engine), f"--config={config}"]
        words += ["--recurse", "--output=json", "repo-ls", "archive/main"]
        listed = json.loads(run_as_owner(*words))
        names = (path.rpartition("/")[2].partition("-")[0] for path in listed)
        return sorted(name for name in names if re.fullmatch(r"[0-9A-F]{24}", name))


@contextmanager
def later(azure: AzureServer) -> Iterator[Later]:
    """Protect a database in the Azure store, its log by the engine itself."""
    with protect({}, beside={"azure": azure}, archive_timeout="0") as protected:
        protected.archive_directly("azure")
        one = Later(protected)
        one.start()
        yield one
