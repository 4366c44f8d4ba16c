"""What backups are compared with: the engine without anything of ours, and the naive way.

The naive way is what people write first: pg_dump, zstd -3, gpg with a passphrase from a file,
upload; back by download, gpg, zstd, psql into a new cluster. It uploads by the client that we use.
"""

import asyncio
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

from abops.backup.postgres.credentials import credentials_of
from abops.clients.objectstore import PART_BYTES, Store, open_store
from abops.stack.programs import postgres_prefix
from abops.stack.tools import find_tool
from support.backup import SUPERUSER, Database, Protected, give_to_owner, run_as_owner
from support.servers import free_port, wait_until

OBJECT = "naive/database.sql.zst.gpg"
_GPG = "gpg --batch --quiet --no-tty --pinentry-mode loopback"
LIMIT_S = 3_600


def store_of(protected: Protected, name: str) -> Store:
    """Return our client of a destination."""
    place = protected.destination(name)
    return open_store(place, credentials_of(protected.home, place))


class Naive:
    """The naive way to one destination."""

    def __init__(self, protected: Protected, name: str) -> None:
        self._protected = protected
        self._store = store_of(protected, name)
        self._folder = protected.database.folder / "naive"
        (self._folder / "gpg").mkdir(parents=True, mode=0o700)
        (self._folder / "passphrase").write_text("not for anybody else\n")
        (self._folder / "passphrase").chmod(0o600)
        give_to_owner(self._folder)
        self._bin = find_tool("postgres").resolve().parent
        self.size = 0

    def _gpg(self, words: str) -> str:
        secret = f"--homedir {self._folder}/gpg --passphrase-file {self._folder}/passphrase"
        return f"{_GPG} {secret} {words}"

    def save(self) -> None:
        """Dump, compress, encrypt, upload; nothing touches the disk."""
        base = self._protected.database
        dump = f"{self._bin}/pg_dump -h {base.socket} -p {base.port} -U {SUPERUSER} postgres"
        seal = self._gpg("--symmetric --cipher-algo AES256 --compress-algo none -o -")
        with _shell(f"{dump} | zstd -q -3 | {seal}", stdout=subprocess.PIPE) as process:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            asyncio.run(self._store.put_stream(OBJECT, _parts(process.stdout)))
        self.size = asyncio.run(self._store.head(OBJECT)).size

    @contextmanager
    def restored(self, *, fsync: str = "on") -> Iterator[Database]:
        """Download, decrypt, decompress, load into a new cluster that takes writes."""
        base = new_database(fsync=fsync, archive_mode="off")
        try:
            base.make()
            base.start()
            psql = f"{self._bin}/psql -X -q -h {base.socket} -p {base.port} -U {SUPERUSER}"
            load = f"{psql} -v ON_ERROR_STOP=1 -d postgres -o /dev/null"
            script = f"{self._gpg('--decrypt')} | zstd -q -d | {load}"
            with _shell(script, stdin=subprocess.PIPE) as process:
                asyncio.run(self._pour(process))
            yield base
        finally:
            drop(base)

    async def _pour(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None  # noqa: S101 - it is a pipe
        async for part in self._store.stream(OBJECT):
            await asyncio.to_thread(process.stdin.write, part)
        process.stdin.close()


class Native:
    """The engine, called with the configuration that we call it with."""

    def __init__(self, protected: Protected, name: str) -> None:
        self._protected = protected
        self._config = protected.config(name)

    def save(self, *words: str) -> None:
        """Make a full backup."""
        self.call("--type=full", *words, "backup")

    @contextmanager
    def restored(self) -> Iterator[Database]:
        """Restore and start; the log comes by the engine's own restore_command."""
        base = new_database(fsync="on", archive_mode="off")
        try:
            base.folder.chmod(0o711)
            for made in (base.data, base.socket):
                made.mkdir(mode=0o700)
            give_to_owner(base.folder)
            self.call(f"--pg1-path={base.data}", "--archive-mode=off", "restore")
            base.start()
            until_writable(base)
            yield base
        finally:
            drop(base)

    def call(self, *words: str) -> None:
        """Call the engine. Raises AssertionError when it fails."""
        run_as_owner(
            self._protected.site.engine,
            f"--config={self._config}",
            f"--stanza={self._protected.site.stanza}",
            "--log-level-console=off",
            *words,
            timeout_s=LIMIT_S,
        )


def new_database(**settings: str) -> Database:
    """Return a database that is not made yet."""
    return Database(Path(tempfile.mkdtemp(prefix="abops-db-")), free_port(), settings)


def drop(base: Database) -> None:
    """Stop a database and remove it."""
    base.stop()
    subprocess.run(["rm", "-rf", str(base.folder)], check=True)  # noqa: S603, S607 - ours


def until_writable(base: Database) -> None:
    """Wait until a database has replayed its log and takes writes."""
    wait_until(
        lambda: base.sql("SELECT pg_is_in_recovery()") == "f", timeout_s=600, what="promoted"
    )


@contextmanager
def _shell(script: str, **pipes: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a pipe of programs as the database's owner; every part of it must succeed."""
    process = subprocess.Popen(  # noqa: S603 - fixed words
        [*postgres_prefix(), "/bin/bash", "-o", "pipefail", "-c", script], cwd="/", **pipes
    )
    try:
        yield process
        if process.wait(LIMIT_S) != 0:
            raise SystemExit(f"the naive way failed: {process.returncode}")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


async def _parts(pipe: object) -> AsyncIterator[bytes]:
    """Yield what comes out of a pipe, in the parts of an upload."""
    read = pipe.read  # type: ignore[attr-defined] # a buffered reader
    while part := await asyncio.to_thread(read, PART_BYTES):
        yield part
