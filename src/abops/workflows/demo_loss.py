"""The other half of the demonstration: a table is lost, and comes back to the last row.

On the running stack, with a table of the demonstration's own: backup, more rows, the table is
dropped, a restore to the moment before beside the live server, its rows brought back and
compared. The commands are those a person would type.
"""

import asyncio
import os
import shutil
import signal
from collections.abc import Awaitable
from pathlib import Path
from time import sleep
from typing import Final

from msgspec import Struct

from abops.backup.model import Home
from abops.backup.postgres.site import load_site
from abops.backup.service.lock import is_held
from abops.clients.postgres_session import PostgresSession, SocketAddress
from abops.clients.programs import call
from abops.kernel.clock import Clock
from abops.kernel.errors import OpsError
from abops.stack import backups, cluster
from abops.stack.programs import ABOPS
from abops.stack.site import Site
from abops.stack.tools import find_tool
from abops.workflows.demo import LOOK_EVERY_S, Tell

NAME: Final = "table-dropped"
BEFORE, AFTER = 10_000, 500
"""Rows that the backup holds, and rows that only the log holds."""
COMMAND_S: Final = 300.0
BETWEEN_S: Final = 2.0
"""Between the last row and the loss: object stores tell the times of log in whole seconds."""
ARCHIVED_WITHIN_S: Final = 60.0
_SCHEMA: Final = "abops_demo"
_TABLE: Final = f"{_SCHEMA}.kept"
_FILL: Final = (
    f"INSERT INTO {_TABLE} SELECT n, md5(n::text) FROM generate_series(%s::int, %s::int) n"  # noqa: S608 - our own name
)
_ALL: Final = f"SELECT id, word FROM {_TABLE} ORDER BY id"  # noqa: S608 - our own name


class LossError(OpsError):
    """The demonstration of a loss did not come to its end."""

    hint = "See `abops backup status`, `abops backup wal status` and `abops stack logs backup-wal`."


class Returned(Struct, frozen=True):
    """What came back, and how long it took; seconds."""

    rows: int
    lost: int
    backup_s: float
    archived_s: float
    """Until the log had left the machine."""
    restored_s: float
    """From the order to a server that answers."""
    returned_s: float
    """From the loss to the live table being as it was."""


def can_lose(site: Site) -> bool:
    """Tell whether the stack makes backups, without which nothing is put at stake."""
    return backups.can_protect(site) and backups.home_folder(site).is_dir()


class Loss:
    """Loses a table of its own and has it back."""

    def __init__(self, site: Site, clock: Clock, *, tell: Tell) -> None:
        self._site, self._clock, self._tell = site, clock, tell
        self._home = backups.home_folder(site)
        self._new = site.postgres_home / "demo-restored"
        self._live = SocketAddress(
            folder=Path(cluster.socket_folder(site)),
            port=site.port("postgres"),
            user=cluster.SUPERUSER,
            password_file=self._home / "secrets" / "pgpass",
        )

    def run(self) -> Returned:
        """Go the whole way. Raises LossError; what is the demonstration's own is removed."""
        shutil.rmtree(self._new, ignore_errors=True)
        try:
            return asyncio.run(self._run())
        finally:
            self._stop_restored()
            shutil.rmtree(self._new, ignore_errors=True)
            with PostgresSession(self._live, cluster.DATABASE) as live:
                live.run(f"DROP SCHEMA IF EXISTS {_SCHEMA} CASCADE")

    async def _run(self) -> Returned:
        with PostgresSession(self._live, cluster.DATABASE) as live:
            live.run(f"DROP SCHEMA IF EXISTS {_SCHEMA} CASCADE")
            live.run(f"CREATE SCHEMA {_SCHEMA}")
            live.run(f"CREATE TABLE {_TABLE} (id int PRIMARY KEY, word text NOT NULL)")
            live.run(_FILL, (1, BEFORE))
            await self._until_free()
            backup_s = await self._timed(self._abops("backup", "run"))
            self._tell("backup in each region", backup_s)
            live.run(_FILL, (BEFORE + 1, BEFORE + AFTER))
            right = live.digest(_ALL)
            moment = str(live.one("SELECT clock_timestamp()::text"))
            await asyncio.sleep(BETWEEN_S)
            live.run(f"DROP TABLE {_TABLE}")
            lost_at = self._clock.monotonic()
            self._tell(f"{AFTER} rows later the table is dropped", 0.0)
            archived_s = self._archive(live)
            self._tell("the log has left the machine", archived_s)
            words = ("restore", "--to-dir", str(self._new), "--time", moment, "--start")
            restored_s = await self._timed(self._abops("backup", *words))
            self._tell("restored to the moment before, on a server of its own", restored_s)
            await self._bring_back()
            returned_s = self._clock.monotonic() - lost_at
            rows = int(live.one(f"SELECT count(*) FROM {_TABLE}"))  # noqa: S608 - our own name
            if live.digest(_ALL) != right:
                raise LossError(f"{rows} rows came back, and they are not those that were lost")
            self._tell(f"all {rows} rows are back and equal", returned_s)
        lost = BEFORE + AFTER - rows
        return Returned(rows, lost, backup_s, archived_s, restored_s, returned_s)

    async def _until_free(self) -> None:
        """Wait until the scheduler has no destination in hand: a new stack begins with that."""
        home, began = Home(self._home), self._clock.monotonic()
        names = [place.name for place in load_site(home).sources]
        while any(is_held(home, name) for name in names):
            if self._clock.monotonic() - began > COMMAND_S:
                raise LossError("the scheduler has had a destination in hand all the time")
            await asyncio.sleep(LOOK_EVERY_S)

    async def _timed(self, step: Awaitable[object]) -> float:
        began = self._clock.monotonic()
        await step
        return self._clock.monotonic() - began

    async def _abops(self, *words: str) -> None:
        ended = await call(ABOPS, *words, "--home", str(self._home), timeout_s=COMMAND_S)
        if ended.code != 0:
            raise LossError(f"abops {' '.join(words[:2])}: {ended.errors[-400:]}")

    def _archive(self, live: PostgresSession) -> float:
        """End the segment and wait until it was archived; return the seconds."""
        began = self._clock.monotonic()
        name = live.end_segment()
        while not live.has_archived(name):
            if self._clock.monotonic() - began > ARCHIVED_WITHIN_S:
                raise LossError(f"{name} was not archived within {ARCHIVED_WITHIN_S:g} s")
            sleep(LOOK_EVERY_S)
        return self._clock.monotonic() - began

    async def _bring_back(self) -> None:
        """Copy the table from the restored server to the live one, as its dump."""
        server = self._restored()
        if server is None:
            raise LossError("the restored server is not there")
        programs = find_tool("postgres").resolve().parent
        dump = self._site.layout.state / "demo-kept.sql"
        try:
            at = ("-h", str(server.folder), "-p", str(server.port), "-U", server.user)
            out = ("-d", cluster.DATABASE, "-t", _TABLE, "--no-owner", "-f", str(dump))
            await self._program(programs / "pg_dump", *at, *out)
            at = ("-h", str(self._live.folder), "-p", str(self._live.port), "-U", self._live.user)
            into = ("-d", cluster.DATABASE, "-Xq", "-v", "ON_ERROR_STOP=1", "-1", "-f", str(dump))
            await self._program(programs / "psql", *at, *into)
        finally:
            dump.unlink(missing_ok=True)

    async def _program(self, program: Path, *words: str) -> None:
        environment = {**os.environ, "PGPASSFILE": str(self._live.password_file)}
        ended = await call(program, *words, timeout_s=COMMAND_S, environment=environment)
        if ended.code != 0:
            raise LossError(f"{program.name}: {ended.errors[-400:]}")

    def _restored(self) -> SocketAddress | None:
        """Return where the restored server listens, as its own file says."""
        lines = self._pid_file()
        if not lines:
            return None
        return SocketAddress(folder=Path(lines[4]), port=int(lines[3]), user=cluster.SUPERUSER)

    def _pid_file(self) -> list[str]:
        try:
            return (self._new / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def _stop_restored(self) -> None:
        lines, server = self._pid_file(), self._restored()
        if not lines or server is None:
            return
        os.kill(int(lines[0]), signal.SIGINT)
        began = self._clock.monotonic()
        while self._pid_file() and self._clock.monotonic() - began < ARCHIVED_WITHIN_S:
            sleep(LOOK_EVERY_S)
        shutil.rmtree(server.folder, ignore_errors=True)
