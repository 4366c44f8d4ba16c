"""The setting of a rehearsed disaster: a protected database with data in it, and its regions.

Made by the commands that a person would use, with the settings of production; what is lost and
what remains is up to the scenario. Everything lies in one folder and is gone with it.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import msgspec
from ruamel.yaml import YAML

from abops.backup.drill.fingerprints import Fingerprints, take
from abops.backup.drill.markers import mark, prepare
from abops.backup.model import Home
from abops.backup.wal.asking import ArchiverAbsentError, ask_status
from abops.clients.postgres_session import PostgresSession
from abops.clients.programs import Ended, call
from abops.kernel.clock import Clock
from abops.kernel.errors import OpsError
from abops.kernel.files import write_atomic
from abops.stack.programs import ABOPS
from abops.stack.throwaway import (
    SUPERUSER,
    ThrowAwayDatabase,
    ThrowAwayRegion,
    background,
    give_to_database,
    throw_away_database,
)

COMMAND_S: Final = 1_800.0
ARCHIVED_S: Final = 90.0
SIGN_EVERY_S: Final = 0.5
OWN_TABLES: Final = ": abops."
"""Heartbeat and markers go on while tables are compared: they are judged by their moments."""
DATABASE: Final = "postgres"
_POLL_S: Final = 0.1
_CONTENT: Final = """
CREATE TABLE posts (id bigint PRIMARY KEY, title text NOT NULL, body text, tags text[],
  meta jsonb, price numeric(12, 4), posted timestamptz, image bytea);
INSERT INTO posts SELECT n, 'post ' || n, repeat(md5(n::text), 8), ARRAY['t' || n % 7, 'ü'],
  jsonb_build_object('n', n, 'even', n % 2 = 0), n / 7.0,
  '2026-01-01Z'::timestamptz + n * interval '1 minute', decode(md5(n::text), 'hex')
  FROM generate_series(1, 20000) n;
CREATE TABLE events (at timestamptz NOT NULL, kind text, value double precision)
  PARTITION BY RANGE (at);
CREATE TABLE events_a PARTITION OF events FOR VALUES FROM ('2026-01-01Z') TO ('2026-02-01Z');
CREATE TABLE events_b PARTITION OF events FOR VALUES FROM ('2026-02-01Z') TO ('2026-03-01Z');
INSERT INTO events SELECT '2026-01-01Z'::timestamptz + n * interval '2 minutes', 'k' || n % 9,
  sqrt(n) FROM generate_series(1, 30000) n;
CREATE TABLE empty (id int PRIMARY KEY);
"""


class SettingError(OpsError):
    """The setting of the rehearsal could not be made."""


class Setting:
    """One protected database of a rehearsal."""

    def __init__(
        self,
        database: ThrowAwayDatabase,
        regions: Mapping[str, ThrowAwayRegion],
        inventory: Path,
    ) -> None:
        self.database = database
        self.regions = regions
        self.inventory = inventory
        self.home = Home(database.folder / "home")
        self.keys = database.folder / "keys"
        self.new = database.folder / "data.new"
        self._archiver = ExitStack()

    @property
    def environment(self) -> dict[str, str]:
        """Return what a line of the playbook sees before its own values."""
        path = f"{ABOPS.parent}:{os.environ.get('PATH', os.defpath)}"
        return {**os.environ, "PATH": path, "ABOPS_BACKUP_HOME": str(self.home.folder)}

    async def run(self, line: str, values: Mapping[str, str] | None = None) -> Ended:
        """Run a line of shell as a person would."""
        words = ("-euo", "pipefail", "-c", line)
        environment = {**self.environment, **(values or {})}
        return await call("/bin/bash", *words, timeout_s=COMMAND_S, environment=environment)

    async def must(self, *words: str | Path) -> None:
        """Run `abops ...`, which must succeed. Raises SettingError."""
        texts = [str(word) for word in words]
        ended = await call(ABOPS, *texts, timeout_s=COMMAND_S, environment=self.environment)
        if ended.code != 0:
            told = ended.errors or ended.output.decode(errors="replace")
            raise SettingError(f"abops {' '.join(texts[:2])}: {told.strip()[-400:]}")

    async def start_archiver(self) -> None:
        """Start what a supervisor would start; it is ended with the setting."""
        argv = [str(ABOPS), "backup", "wal", "serve", "--metrics-port", "0"]
        log = self.database.folder / "archiver.log"
        self._archiver.enter_context(background(argv, log, self.environment))
        await _until(self._archives)

    def _archives(self) -> bool:
        if not self.home.folder.is_dir():
            return False
        try:
            ask_status(self.home)
        except ArchiverAbsentError:
            return False
        return True

    def stop_archiver(self) -> None:
        """End it; one that does not run is well too."""
        self._archiver.close()

    def sql(self, statement: str, database: str = DATABASE) -> Any:  # noqa: ANN401 - SQL's own
        """Run statements; return the first value of the last one's first row, if it has one."""
        with PostgresSession(self.database.address, database) as session:
            return session.one(statement)

    def change(self, statement: str, database: str = DATABASE) -> None:
        """Run statements that return nothing."""
        with PostgresSession(self.database.address, database) as session:
            session.run(statement)

    def fingerprints(self) -> Fingerprints:
        """Return what every table holds, but those that keep the time."""
        found = take(self.database.address, DATABASE)
        return {name: one for name, one in found.items() if OWN_TABLES not in name}

    async def archive(self) -> None:
        """End the current segment, and wait until it was archived."""
        with PostgresSession(self.database.address, DATABASE) as session:
            name = session.end_segment()
            await _until(lambda: session.has_archived(name))

    async def waited(self, claim: Callable[[], bool]) -> bool:
        """Tell whether it comes true within the time that archiving may take."""
        try:
            await _until(claim)
        except SettingError:
            return False
        return True

    def lose_machine(self) -> None:
        """Take away all that lies on the machine of the database: data, queue and home."""
        self.stop_archiver()
        self.database.kill()
        for folder in self.database.folder.glob("data*"):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(self.home.folder, ignore_errors=True)


async def _until(claim: Callable[[], bool]) -> None:
    """Wait for what another process tells by its own words only."""
    try:
        async with asyncio.timeout(ARCHIVED_S):
            while not claim():  # noqa: ASYNC110 - there is nothing to be awaited
                await asyncio.sleep(_POLL_S)
    except TimeoutError as error:
        raise SettingError(f"the log was not archived within {ARCHIVED_S:.0f} s") from error


@asynccontextmanager
async def make_setting(
    regions: Mapping[str, ThrowAwayRegion],
    platform: Path,
    *,
    policy: Mapping[str, object] | None = None,
    scale: int = 1,
) -> AsyncIterator[Setting]:
    """Make a protected database in the regions, by the inventory's own rules, until the end."""
    with throw_away_database() as database:
        inventory = database.folder / "platform.yaml"
        setting = Setting(database, regions, inventory)
        try:
            _write_inventory(setting, platform, policy)
            await _protect(setting)
            await setting.start_archiver()
            _fill(setting, scale)
            yield setting
        finally:
            for region in regions.values():
                region.thaw()
            database.kill()
            setting.stop_archiver()


def _write_inventory(setting: Setting, platform: Path, policy: Mapping[str, object] | None) -> None:
    """Write the inventory with the regions of the rehearsal as its destinations, and their keys."""
    declared = YAML(typ="safe").load(platform.read_text())
    setting.keys.mkdir(mode=0o700)
    mark_of = setting.database.folder.name.rpartition("-")[2].lower().replace("_", "0")
    places = {}
    for name, region in setting.regions.items():
        places[name] = {
            "type": "s3",
            "bucket": f"backup-{name}-{mark_of}",
            "endpoint": "localhost",
            "port": region.port,
            "region": "us-east-1",
            "ca_file": str(region.ca_file),
            "credentials": f"backup-{name}",
        }
        keys = {"access_key": region.access_key, "secret_key": region.secret_key}
        write_atomic(setting.keys / f"backup-{name}.json", msgspec.json.encode(keys), mode=0o600)
    declared["backup"]["destinations"] = places
    if policy is not None:
        declared["backup"]["wal"]["policy"] = dict(policy)
    # JSON is YAML too.
    write_atomic(setting.inventory, msgspec.json.encode(declared))
    give_to_database(setting.keys, setting.inventory)


async def _protect(setting: Setting) -> None:
    words: list[str | Path] = ["backup", "init", "--inventory", setting.inventory]
    words += ["--data", setting.database.data, "--superuser", SUPERUSER]
    words += ["--secrets", setting.keys, "--make-buckets", "--configure"]
    await setting.must(*words)


def _fill(setting: Setting, scale: int) -> None:
    """Put in tables of many types, in two databases."""
    database = setting.database
    where = ("-h", database.address.folder, "-p", str(database.port), "-U", SUPERUSER)
    database.call(database.programs / "pgbench", "-i", "-q", "-s", str(scale), *where, DATABASE)
    setting.change("CREATE DATABASE analytic_bot")
    setting.change(_CONTENT, "analytic_bot")


class Signs:
    """Rows that are written all the time, so that one sees how much was lost."""

    def __init__(self, setting: Setting, clock: Clock) -> None:
        self._setting = setting
        self._clock = clock
        self.written = 0

    async def write(self) -> None:
        """Write until the database is gone; a cutover or a crash ends it."""
        with suppress(OpsError):
            while True:
                await asyncio.to_thread(self._mark)
                await asyncio.sleep(SIGN_EVERY_S)

    def begin(self) -> None:
        """Make the table, and write the first one."""
        with PostgresSession(self._setting.database.address, DATABASE) as session:
            prepare(session)
        self._mark()

    def _mark(self) -> None:
        with PostgresSession(self._setting.database.address, DATABASE) as session:
            mark(session, self._clock.now())
        self.written += 1


@asynccontextmanager
async def signs_of_life(setting: Setting, clock: Clock) -> AsyncIterator[Signs]:
    """Have rows written while the block runs."""
    signs = Signs(setting, clock)
    await asyncio.to_thread(signs.begin)
    task = asyncio.create_task(signs.write())
    try:
        yield signs
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
