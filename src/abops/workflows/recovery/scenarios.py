"""Disasters, each as it happens: what is there before, what is lost, what must be there again.

Every one compares all tables with what they held, and says how long the lines of the playbook
took until the database served again, and how much of what was written did not come back.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from abops.backup.drill.checks import Checked, judge
from abops.backup.drill.evidence import read_evidence
from abops.backup.drill.fingerprints import Fingerprints, differences
from abops.backup.drill.markers import last_marker
from abops.backup.postgres.site import load_site
from abops.clients.postgres_session import PostgresSession
from abops.kernel.clock import Clock
from abops.kernel.files import write_atomic
from abops.stack.throwaway import give_to_database
from abops.workflows.recovery.playbook import Scenario
from abops.workflows.recovery.report import Rehearsed, Step, judged
from abops.workflows.recovery.setting import DATABASE, Setting, signs_of_life

Hook = Callable[[str], Awaitable[Step | None]]
LOST: Final = "eu"
LEFT: Final = "us"
DSN_FILE: Final = "database-url"
_DSN: Final = "postgresql+asyncpg://app:not-a-word@eu.example.org:5432/analytic_bot?ssl=require\n"
APART_S: Final = 1.1
"""Moments are told apart by whole seconds."""
UNSENT_S: Final = 5.0
"""What is written in this time before the end has not left the machine yet."""
_SHOWN: Final = 3
_SPOILT: Final = ("DELETE FROM posts WHERE id % 3 = 0", "DROP TABLE events", "DROP TABLE empty")


class Stage:
    """One scenario on its setting: follows lines, keeps times, compares at the end."""

    def __init__(self, scenario: Scenario, setting: Setting, clock: Clock) -> None:
        self.scenario = scenario
        self.setting = setting
        self.clock = clock
        self.steps: list[Step] = []
        self.checks: list[Checked] = []
        self.started = clock.now().timestamp()

    async def follow(
        self, lines: tuple[str, ...], values: Mapping[str, str], *, after: Hook | None = None
    ) -> bool:
        """Run lines one after the other; the first that fails ends it. Tell whether all did well.

        What comes after the cutover protects again; the database serves by then.
        """
        for line in lines:
            began = self.clock.monotonic()
            ended = await self.setting.run(line, values)
            told = (ended.errors or ended.output.decode(errors="replace")).strip()
            self.steps.append(
                Step(
                    line=line,
                    seconds=self.clock.monotonic() - began,
                    code=ended.code,
                    counts=not any(" backup cutover " in one.line for one in self.steps),
                    told=told[-400:] if ended.code else "",
                )
            )
            if ended.code:
                return False
            if after is not None and (more := await after(line)) is not None:
                self.steps.append(more)
        return True

    def compare(self, expected: Fingerprints, until: datetime) -> tuple[float | None, int]:
        """Compare every table, and look for the last sign of life; return RPO and rows."""
        found = self.setting.fingerprints()
        wrong = differences(expected, found)
        rows = sum(one.rows for one in found.values())
        told = "; ".join(map(str, wrong[:_SHOWN])) or f"{len(found)} tables, {rows} rows"
        self.checks.append(judge("every table as it was, row by row", not wrong, told))
        with PostgresSession(self.setting.database.address, DATABASE) as session:
            recovering = bool(session.one("SELECT pg_is_in_recovery()"))
            sign = last_marker(session)
        self.checks.append(judge("takes writes", not recovering))
        lost = None if sign is None else (until - sign.at).total_seconds()
        self.checks.append(
            judge(
                "nothing of later is there",
                lost is None or lost >= 0.0,
                f"last row {sign.at:%H:%M:%S}" if sign else "none is there",
            )
        )
        return lost, rows

    def result(self, expected: Fingerprints, rpo_s: float | None, rows: int) -> Rehearsed:
        """Return what it came to."""
        size = int(self.setting.sql("SELECT sum(pg_database_size(oid)) FROM pg_database"))
        return judged(
            msgspec.structs.replace(
                self.failed(),
                rto_s=sum(step.seconds for step in self.steps if step.counts),
                rpo_s=rpo_s,
                tables=len(expected),
                rows=rows,
                bytes=size,
            )
        )

    def failed(self) -> Rehearsed:
        """Return what is known when a line failed."""
        return judged(
            Rehearsed(
                number=self.scenario.number,
                title=self.scenario.title,
                outcome="failed",
                started=self.started,
                ended=self.clock.now().timestamp(),
                rto_target_s=self.scenario.rto_s,
                rpo_target_s=self.scenario.rpo_s,
                steps=tuple(self.steps),
                checks=tuple(self.checks),
            )
        )


async def corruption(scenario: Scenario, setting: Setting, clock: Clock) -> Rehearsed:
    """Scenario 1: rows are deleted and tables dropped; the machine is well."""
    stage = Stage(scenario, setting, clock)
    await setting.must("backup", "run", "--type", "full")
    async with signs_of_life(setting, clock):
        setting.change("UPDATE pgbench_accounts SET abalance = aid % 7")
        expected = await asyncio.to_thread(setting.fingerprints)
        await asyncio.sleep(APART_S)
        good = clock.now()
        await asyncio.sleep(APART_S)
        for statement in _SPOILT:
            setting.change(statement, "analytic_bot")
        setting.change("UPDATE pgbench_accounts SET abalance = -1")
        await asyncio.sleep(APART_S)
        await setting.archive()
    values = {"T": good.isoformat(), "NEW": str(setting.new), "FROM": LEFT}
    if not await stage.follow(scenario.lines, values):
        return stage.failed()
    lost, rows = stage.compare(expected, good)
    stage.checks += await _handed_over(setting)
    return stage.result(expected, lost, rows)


async def _handed_over(setting: Setting) -> list[Checked]:
    """Judge the cutover: the old server ended in order, its folder is kept, history goes on."""
    database = setting.database
    old = database.process
    kept = [
        folder
        for folder in database.folder.glob("data.before-*")
        if (folder / "PG_VERSION").is_file()
    ]
    timeline = int(setting.sql("SELECT timeline_id FROM pg_control_checkpoint()"))
    history = database.data / "pg_wal/archive_status" / f"{timeline:08X}.history.done"
    archived = await setting.waited(history.is_file)
    return [
        judge(
            "the old server ended in order",
            old is not None and old.poll() == 0,
            f"exit code {old and old.poll()}",
        ),
        judge("the old folder is kept", len(kept) == 1, ", ".join(one.name for one in kept)),
        judge("the new timeline and its history are archived", timeline > 1 and archived),
    ]


async def empty_machine(scenario: Scenario, setting: Setting, clock: Clock) -> Rehearsed:
    """Scenario 3: the machine is gone, data and home and all; object stores and the key remain."""
    stage = Stage(scenario, setting, clock)
    key = setting.keys / "offline.key"
    await setting.must("backup", "config", "init-key", "--write-identity", key)
    await setting.must("backup", "run", "--type", "full")
    await setting.must("backup", "config", "save", "--inventory", setting.inventory, "--no-git")
    async with signs_of_life(setting, clock):
        expected = await _last_changes(setting)
        setting.lose_machine()
        lost_at = clock.now()
    values = {
        "KEY": str(key),
        "FROM": LEFT,
        "CREDENTIALS": str(setting.keys / f"backup-{LEFT}.json"),
        "INVENTORY": str(setting.inventory),
        "NEW": str(setting.new),
    }

    async def supervise(line: str) -> Step | None:
        if "--bootstrap" not in line:
            return None
        began = clock.monotonic()
        await setting.start_archiver()
        return Step(line="(the supervisor starts the archiver)", seconds=clock.monotonic() - began)

    if not await stage.follow(scenario.lines, values, after=supervise):
        return stage.failed()
    lost, rows = stage.compare(expected, lost_at)
    return stage.result(expected, lost, rows)


async def region_lost(scenario: Scenario, setting: Setting, clock: Clock) -> Rehearsed:
    """Scenario 4: the leading region is a black hole and the database with it; later it is back."""
    stage = Stage(scenario, setting, clock)
    secret = setting.home.secrets / DSN_FILE
    before = load_site(setting.home)
    await setting.must("backup", "run", "--type", "full")
    _write_secret(secret)
    async with signs_of_life(setting, clock):
        expected = await _last_changes(setting)
        setting.regions[LOST].freeze()
        setting.database.kill()
        lost_at = clock.now()
    values = {"NEW": str(setting.new), "FROM": LEFT, "LOST": LOST, "SECRET": DSN_FILE}
    if not await stage.follow(scenario.lines, values):
        return stage.failed()
    lost, rows = stage.compare(expected, lost_at)
    at = setting.database.address
    turned = f"host={at.folder}&port={at.port}" in secret.read_text()
    stage.checks.append(judge("the applications' secret leads to the new server", turned))
    asked = [place.name for place in load_site(setting.home).present]
    stage.checks.append(
        judge("the lost region is asked no more", asked == [LEFT], f"asked: {', '.join(asked)}")
    )
    await asyncio.sleep(APART_S)
    setting.regions[LOST].thaw()
    early = await setting.run(scenario.back[-1], values)
    refused = early.code == 1 and "stays away" in early.errors
    stage.checks.append(
        judge("before it has caught up it is not taken back", refused, _last(early.errors))
    )
    if not await stage.follow(scenario.back, values):
        return stage.failed()
    back = load_site(setting.home) == before
    stage.checks.append(judge("after the failback all is as it was declared", back))
    return stage.result(expected, lost, rows)


async def targets(
    scenario: Scenario, setting: Setting, clock: Clock, *, hurry: bool = False
) -> Rehearsed:
    """Scenario 5: each destination is restored, to the latest point and to a moment."""
    stage = Stage(scenario, setting, clock)
    if hurry:
        setting.change("ALTER SYSTEM SET archive_timeout = '5s'")
        setting.sql("SELECT pg_reload_conf()")
    await setting.must("backup", "run", "--type", "full")
    done = await stage.follow(scenario.lines, {})
    site = load_site(setting.home)
    drills = read_evidence(setting.home)
    expected = 2 * len(site.sources)
    stage.checks.append(
        judge(
            "each destination, latest and a moment",
            len(drills) == expected,
            f"{len(drills)} restores",
        )
    )
    worst = max((one.rto_s for one in drills), default=None)
    lost = [one.rpo_s for one in drills if one.rpo_s is not None]
    known = msgspec.structs.replace(
        stage.failed(),
        rto_s=worst,
        rpo_s=max(lost) if len(lost) == len(drills) and lost else None,
        rto_target_s=site.targets.rto_s,
        rpo_target_s=site.targets.rpo_s,
        tables=min((one.tables for one in drills), default=0),
        bytes=max((one.size for one in drills), default=0),
        drills=drills,
    )
    return judged(known) if done else known


async def _last_changes(setting: Setting) -> Fingerprints:
    """Change data and have them archived; what is written after that is lost with the machine."""
    setting.change("UPDATE pgbench_accounts SET abalance = aid % 11")
    setting.change("DELETE FROM posts WHERE id % 5 = 0", "analytic_bot")
    expected = await asyncio.to_thread(setting.fingerprints)
    await setting.archive()
    await asyncio.sleep(UNSENT_S)
    return expected


def _last(text: str) -> str:
    return text.strip().partition("\n")[0][:200]


def _write_secret(path: Path) -> None:
    write_atomic(path, _DSN, mode=0o600)
    give_to_database(path)
