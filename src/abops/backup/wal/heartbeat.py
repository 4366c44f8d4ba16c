"""A mark in the database every few seconds: its age after a restore is what was lost."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from abops.backup.model import Home, Site
from abops.clients.postgres_session import PostgresSession, SocketAddress
from abops.kernel.clock import Clock
from abops.kernel.errors import OpsError

TABLE: Final = "abops.dr_heartbeat"
_MAKE: Final = (
    "CREATE SCHEMA IF NOT EXISTS abops",
    f"CREATE TABLE IF NOT EXISTS {TABLE} (id int PRIMARY KEY, at timestamptz NOT NULL)",
)
_BEAT: Final = (
    f"INSERT INTO {TABLE} VALUES (1, clock_timestamp())"  # noqa: S608 - a name of ours
    " ON CONFLICT (id) DO UPDATE SET at = excluded.at"
)
_log = structlog.get_logger()


async def beat(home: Home, site: Site, clock: Clock, told: Callable[[float], None]) -> None:
    """Set the mark again and again, until cancelled; `told` gets the time of each."""
    well = True
    while True:
        try:
            if await asyncio.to_thread(_mark, home, site):
                told(clock.now().timestamp())
            well = True
        except OpsError as error:
            # Told once: the database may be down for hours, and others say so.
            if well:
                _log.warning("no heartbeat", reason=str(error))
            well = False
        await asyncio.sleep(site.wal.heartbeat_s)


def _mark(home: Home, site: Site) -> bool:
    at = site.cluster
    address = SocketAddress(
        folder=at.socket, port=at.port, user=at.superuser, password_file=home.password_file
    )
    with PostgresSession(address, at.database) as session:
        if session.one("SELECT pg_is_in_recovery()"):
            return False
        session.run("SET statement_timeout = '5s'")
        if session.one("SELECT to_regclass(%s)", [TABLE]) is None:
            for statement in _MAKE:
                session.run(statement)
        session.run(_BEAT)
    return True
