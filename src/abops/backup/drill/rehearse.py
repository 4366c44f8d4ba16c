"""One rehearsal: a destination's backup is restored on a server of its own, compared, thrown away.

The server first stops at a named point whose content is known, and every table is compared there.
Then it goes on to the target, the end of the log or a moment, and takes writes. Each phase is
timed; together they are what a real recovery would take. Whatever happens, nothing stays behind.
"""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from abops.backup.drill.checks import (
    Checked,
    check_log,
    check_markers,
    check_programs,
    check_promoted,
    check_revisions,
    judge,
    newest_marker,
    newest_sign,
    revisions_of,
)
from abops.backup.drill.fingerprints import differences, take
from abops.backup.drill.scene import Scene
from abops.backup.model import Home, Site
from abops.backup.restore.bring import Wish, bring, make_plan
from abops.backup.restore.request import Plan
from abops.backup.restore.start import (
    REDONE,
    make_private,
    private_server,
    private_settings,
    until_promoted,
)
from abops.backup.restore.target import LATEST, at_time
from abops.clients.postgres_server import PostgresServer, ServerStartError
from abops.clients.postgres_session import PostgresSession
from abops.kernel.clock import Clock, moment

_POLL_S: Final = 0.05
_SHOWN: Final = 3


class Timed:
    """Seconds by phase."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.phases: dict[str, float] = {}

    def now(self) -> datetime:
        """Return the moment."""
        return self._clock.now()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count the block to a phase, also when it fails."""
        began = self._clock.monotonic()
        try:
            yield
        finally:
            took = self._clock.monotonic() - began
            self.phases[name] = self.phases.get(name, 0.0) + took


class Rehearsed(msgspec.Struct, kw_only=True):
    """What is known so far; complete only when nothing failed."""

    made: Plan | None = None
    checks: list[Checked] = []
    rpo_s: float | None = None
    tables: int = 0


async def rehearse(  # noqa: PLR0913, PLR0917 - a rehearsal and where it is noted
    home: Home, site: Site, scene: Scene, clock: Clock, timed: Timed, found: Rehearsed
) -> None:
    """Restore, compare, judge; what is learnt goes into `found` as it is learnt."""
    async with _throw_away() as folder:
        target = LATEST if scene.kind == "latest" else at_time(moment(scene.target))
        with timed.phase("provision"):
            wish = Wish(folder=folder / "data", target=target, sources=(scene.destination,))
            made = found.made = await make_plan(home, site, wish)
            private = make_private()
        server: PostgresServer | None = None
        try:
            with timed.phase("fetch"):
                # Targets are given at each start: the files themselves lead to the log's end.
                plain = msgspec.structs.replace(made, target=LATEST)
                await bring(home, site, plain, clock)
            server = await private_server(site.cluster, made.folder, private)
            own = private_settings(made.folder, private)
            await _at_point(site, server, own, scene, timed, found)
            await _at_target(site, server, own, scene, timed, found)
        finally:
            if server is not None:
                await server.stop(at_once=True)
            shutil.rmtree(private.folder, ignore_errors=True)


async def _at_point(  # noqa: PLR0913, PLR0917 - one step of one rehearsal
    site: Site,
    server: PostgresServer,
    own: dict[str, str],
    scene: Scene,
    timed: Timed,
    found: Rehearsed,
) -> None:
    """Stop at the named point and compare every table."""
    with timed.phase("replay"):
        stop = {"recovery_target_name": scene.point.name, "recovery_target_action": "pause"}
        await server.start({**own, **stop})
        await server.until("ready", timeout_s=scene.box_s)
        await _until_paused(server, site, scene.box_s)
    with timed.phase("checks"):
        tables = await asyncio.to_thread(take, server.address, site.cluster.database)
        wrong = differences(scene.point.tables, tables)
        told = "; ".join(map(str, wrong[:_SHOWN])) or f"{len(tables)} tables"
        found.tables = len(tables)
        found.checks.append(judge("every table as it was at the named point", not wrong, told))
    with timed.phase("replay"):
        await server.stop()


async def _at_target(  # noqa: PLR0913, PLR0917 - one step of one rehearsal
    site: Site,
    server: PostgresServer,
    own: dict[str, str],
    scene: Scene,
    timed: Timed,
    found: Rehearsed,
) -> None:
    """Go on to the target, take writes, and judge the server."""
    cluster = site.cluster
    with timed.phase("replay"):
        before = len(server.told())
        goal = {} if scene.kind == "latest" else {"recovery_target_time": scene.target_text}
        await server.start({**own, **goal, "recovery_target_action": "promote"})
        await _until_redone(server, before, scene.box_s)
    with timed.phase("promote"):
        await until_promoted(server, scene.box_s)
    promoted = timed.now()
    with timed.phase("checks"):
        found.checks.append(check_promoted(server, cluster))
        restored = newest_marker(server, cluster)
        sign = newest_sign(server, cluster)
        if sign is not None:
            found.rpo_s = max(scene.target - sign.timestamp(), 0.0)
        # While the latest point is restored the log goes on: rows of meanwhile belong to it.
        until = promoted if scene.kind == "latest" else moment(scene.target)
        found.checks += check_markers(restored, scene.expected, until)
        found.checks += await check_programs(server, cluster)
        found.checks.append(check_revisions(revisions_of(server.address, cluster), scene.revisions))
        found.checks.append(check_log(server))


async def _until_paused(server: PostgresServer, site: Site, timeout_s: float) -> None:
    """Wait until the server stands at its point. Raises ServerStartError."""
    with PostgresSession(server.address, site.cluster.database) as session:
        async with asyncio.timeout(timeout_s):
            while session.one("SELECT pg_get_wal_replay_pause_state()") != "paused":
                if server.state() == "ended":
                    raise ServerStartError(f"the server ended: {server.complaint()}")
                await asyncio.sleep(_POLL_S)


async def _until_redone(server: PostgresServer, offset: int, timeout_s: float) -> None:
    async with asyncio.timeout(timeout_s):
        while not REDONE.search(server.told()[offset:]):
            if server.state() == "ended":
                raise ServerStartError(f"the server ended: {server.complaint() or server.tail()}")
            await asyncio.sleep(_POLL_S)


@asynccontextmanager
async def _throw_away() -> AsyncIterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="abops-drill-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
