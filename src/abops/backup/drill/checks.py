"""What must be true of a restored server. All of it, or the rehearsal failed."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final, Literal

import msgspec

from abops.backup.drill.fingerprints import databases_of
from abops.backup.drill.markers import TABLE, Marker, last_marker, last_sign
from abops.backup.model import Cluster
from abops.clients.postgres_server import PostgresServer
from abops.clients.postgres_session import PostgresSession, SocketAddress
from abops.clients.programs import call

PROGRAM_S: Final = 1_800.0
_REVISION: Final = re.compile(r"^[0-9a-zA-Z_]+$")

Outcome = Literal["passed", "failed", "skipped"]


class Checked(msgspec.Struct, frozen=True):
    """One claim and whether it holds."""

    claim: str
    outcome: Outcome
    detail: str = ""


def failed(checks: tuple[Checked, ...]) -> tuple[Checked, ...]:
    """Return those that do not hold."""
    return tuple(one for one in checks if one.outcome == "failed")


def judge(claim: str, holds: bool, detail: str = "") -> Checked:  # noqa: FBT001 - the verdict
    """Return a claim with its verdict."""
    return Checked(claim, "passed" if holds else "failed", detail)


def check_log(server: PostgresServer) -> Checked:
    """Nothing in the log says FATAL or PANIC."""
    complaint = server.complaint()
    return judge("log without FATAL or PANIC", not complaint, complaint)


def check_promoted(server: PostgresServer, cluster: Cluster) -> Checked:
    """The server takes writes."""
    with PostgresSession(server.address, cluster.database) as session:
        recovering = bool(session.one("SELECT pg_is_in_recovery()"))
    return judge("takes writes", not recovering, "still in recovery" if recovering else "")


def check_markers(
    restored: Marker | None, expected: Marker | None, target: datetime
) -> Iterator[Checked]:
    """The last row before the target is there, and none that was written after it."""
    if expected is None:
        yield Checked("marker before the target", "skipped", "nobody wrote one before it")
    else:
        there = restored is not None and restored.id >= expected.id
        found = f"row {restored.id} of {restored.at:%H:%M:%S}" if restored else "no row"
        yield judge("marker before the target", there, f"{found}, expected {expected.id}")
    late = restored is not None and restored.at > target
    yield judge(
        "no marker after the target", not late, f"{restored.at}" if late and restored else ""
    )


def newest_marker(server: PostgresServer, cluster: Cluster) -> Marker | None:
    """Return the restored server's last row; None when it holds none."""
    with PostgresSession(server.address, cluster.database) as session:
        there = session.one("SELECT to_regclass(%s) IS NOT NULL", [TABLE])
        return last_marker(session) if there else None


def newest_sign(server: PostgresServer, cluster: Cluster) -> datetime | None:
    """Return the last moment that the restored server knows of."""
    with PostgresSession(server.address, cluster.database) as session:
        return last_sign(session)


async def check_programs(server: PostgresServer, cluster: Cluster) -> tuple[Checked, ...]:
    """Every index and page is sound, and everything can be read out."""
    at = server.address
    where = ["-h", str(at.folder), "-p", str(at.port), "-U", at.user]
    names = databases_of(at, cluster.database)
    bare = [name for name in names if not _has_amcheck(at, name)]
    ended = await call(
        cluster.programs / "pg_amcheck", *where, "--all", "--install-missing", timeout_s=PROGRAM_S
    )
    for name in bare:
        # The server may go live: it must not have more than it was restored with.
        with PostgresSession(at, name) as session:
            session.run("DROP EXTENSION IF EXISTS amcheck")
    found = [judge("pg_amcheck finds nothing", ended.code == 0, _first(ended.errors))]
    for name in names:
        dump = [*where, "-d", name, "-Fc", "-Z0", "--no-sync", "-f", "/dev/null"]
        ended = await call(cluster.programs / "pg_dump", *dump, timeout_s=PROGRAM_S)
        found.append(judge(f"pg_dump reads {name}", ended.code == 0, _first(ended.errors)))
    return tuple(found)


def revisions_of(address: SocketAddress, cluster: Cluster) -> dict[str, str]:
    """Return the revision of the schema for each database that keeps one."""
    found = {}
    for name in databases_of(address, cluster.database):
        with PostgresSession(address, name) as session:
            if session.one("SELECT to_regclass('public.alembic_version') IS NOT NULL"):
                rows = session.rows("SELECT version_num FROM public.alembic_version ORDER BY 1")
                found[name] = ", ".join(str(row[0]) for row in rows)
    return found


def check_revisions(found: Mapping[str, str], expected: Mapping[str, str] | None) -> Checked:
    """Each schema has a revision that is known: the live one's, or one that reads like one."""
    told = ", ".join(f"{name} {revision}" for name, revision in found.items())
    if not found:
        return Checked("Alembic revision is known", "skipped", "no database keeps one")
    if expected:
        same = all(found.get(name) == revision for name, revision in expected.items())
        return judge("Alembic revision is known", same, told)
    return judge("Alembic revision is known", all(map(_REVISION.match, found.values())), told)


def _has_amcheck(address: SocketAddress, database: str) -> bool:
    with PostgresSession(address, database) as session:
        return bool(session.one("SELECT count(*) FROM pg_extension WHERE extname = 'amcheck'"))


def _first(errors: str) -> str:
    return errors.partition("\n")[0][:300]
