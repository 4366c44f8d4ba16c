"""Judging a restored folder before anybody relies on it: started apart, read through, stopped."""

import asyncio
from pathlib import Path

import msgspec

from abops.backup.drill.checks import (
    Checked,
    check_log,
    check_programs,
    check_promoted,
    check_revisions,
    failed,
    judge,
    newest_sign,
    revisions_of,
)
from abops.backup.drill.fingerprints import differences, take
from abops.backup.drill.points import known_points
from abops.backup.model import Home, Site
from abops.backup.restore.folder import Record, read_record, write_record
from abops.backup.restore.start import running_apart, until_promoted
from abops.backup.restore.target import told
from abops.clients.postgres_server import PostgresServer
from abops.kernel.clock import Clock

START_S = 24 * 3_600.0
"""Log of days may have to be replayed first."""
_SHOWN = 3


async def judge_restored(home: Home, site: Site, folder: Path, clock: Clock) -> tuple[Checked, ...]:
    """Start the server of a restored folder where nobody reaches it, and check all of it.

    It leaves recovery by that. What was found good is noted in the folder: only such a one is
    ever put in the place of the live one.
    """
    record = read_record(folder)
    async with running_apart(site.cluster, folder) as server:
        await until_promoted(server, START_S)
        checks = (
            check_promoted(server, site.cluster),
            *_compared(home, site, record, server),
            *await check_programs(server, site.cluster),
            check_revisions(revisions_of(server.address, site.cluster), None),
            _age(record, server, site),
            check_log(server),
        )
    if not failed(checks):
        verified = msgspec.structs.replace(record, verified_at=clock.now().timestamp())
        await asyncio.to_thread(write_record, folder, verified)
    return checks


def _compared(
    home: Home, site: Site, record: Record, server: PostgresServer
) -> tuple[Checked, ...]:
    """Compare every table where the target is a point whose content is known."""
    claim = "every table as it was at the named point"
    point = next((one for one in known_points(home) if record.target == f"name {one.name}"), None)
    if point is None:
        return (Checked(claim, "skipped", f"nothing is known of {record.target}"),)
    tables = take(server.address, site.cluster.database)
    wrong = differences(point.tables, tables)
    return (
        judge(claim, not wrong, "; ".join(map(str, wrong[:_SHOWN])) or f"{len(tables)} tables"),
    )


def _age(record: Record, server: PostgresServer, site: Site) -> Checked:
    sign = newest_sign(server, site.cluster)
    if sign is None:
        return Checked("last sign of life", "skipped", "the database keeps none")
    until = record.target_at or record.began
    lost = max(until - sign.timestamp(), 0.0)
    return Checked("last sign of life", "passed", f"{told(sign.timestamp())}, {lost:.0f} s before")
