"""Whether everything that backups and restores need is there, before the night shows it.

Looks and changes nothing. Each finding says what to do.
"""

import asyncio
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec

from abops.backup.model import Destination, Home, Site
from abops.backup.postgres.engine import engine_of
from abops.backup.service.look import look
from abops.backup.service.protect import compare_settings, settings_of
from abops.clients.pgbackrest import Engine
from abops.clients.postgres_settings import PostgresSettings
from abops.clients.tls_probe import Shown, look_at_endpoint
from abops.kernel.clock import Clock, SystemClock
from abops.kernel.errors import OpsError

SKEW_WARNING_S: Final = 60.0
SKEW_LIMIT_S: Final = 300.0
CERTIFICATE_WARNING_S: Final = 21 * 86_400.0
FREE_WARNING_RATIO: Final = 0.2
FREE_LIMIT_RATIO: Final = 0.1
"""Below it the archiver refuses to keep copies for a destination that is away."""
KEY_WARNING_DAYS: Final = 335
KEY_LIMIT_DAYS: Final = 365
State = Literal["ok", "warning", "failed"]


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    check: str
    of: str
    state: State
    detail: str
    hint: str = ""


async def examine(home: Home, site: Site, *, clock: Clock | None = None) -> tuple[Finding, ...]:
    """Look at everything."""
    engine = engine_of(home, site)
    found = [*await _program(engine, site), *_database(home, site)]
    found += [*_files(home, site), *_space(home, site)]
    found += [*_keys(home, site, clock or SystemClock())]
    places = await asyncio.gather(
        *(
            _destination(home, site, engine, place, clock or SystemClock())
            for place in site.destinations
        )
    )
    return (*found, *(one for each in places for one in each))


async def _program(engine: Engine, site: Site) -> Iterator[Finding]:
    try:
        can = await engine.capabilities()
    except OpsError as error:
        return iter([Finding("engine", "pgBackRest", "failed", str(error), error.hint)])
    version = _postgres_version(site)
    detail = f"{can.version}, PostgreSQL {version}"
    renew = "abops tools install pgbackrest"
    state: State = "ok"
    hint = ""
    if not can.usable:
        state, hint = "failed", f"too old: {renew}"
    elif version > can.newest_postgres:
        state, hint = "failed", f"it knows PostgreSQL up to {can.newest_postgres}: {renew}"
    elif not can.verify_trusted:
        state, hint = "warning", "its verify reports blocks missing that are there: use >= 2.55"
    elif not can.advised:
        state, hint = "warning", "use >= 2.55"
    return iter([Finding("engine", "pgBackRest", state, detail, hint)])


def _postgres_version(site: Site) -> int:
    try:
        return int((site.cluster.data / "PG_VERSION").read_text().strip())
    except (OSError, ValueError):
        return 0


def _database(home: Home, site: Site) -> Iterator[Finding]:
    server = settings_of(home, site)
    try:
        told = compare_settings(home, server)
        checksums = server.one("SHOW data_checksums")
        archiver = _archiver(server)
    except OpsError as error:
        yield Finding("database", "PostgreSQL", "failed", str(error), error.hint)
        return
    for one in told:
        yield _setting(one.name, one.is_now, one.state)
    on = checksums == "on"
    yield Finding(
        "checksums",
        "PostgreSQL",
        "ok" if on else "warning",
        f"data_checksums = {checksums}",
        "" if on else "damage on disk goes into backups unseen: pg_checksums --enable",
    )
    yield archiver


def _setting(name: str, is_now: str, state: str) -> Finding:
    hint = "abops backup init --configure sets it"
    if state == "restart":
        return Finding(name, "PostgreSQL", "failed", f"{is_now}; set", "restart PostgreSQL")
    if name == "archive_command" and state != "right":
        if "pgbackrest" not in is_now:
            told = f"{is_now!r} does not name pgbackrest: the engine refuses every backup"
            return Finding(name, "PostgreSQL", "failed", told, hint)
        told = f"{is_now!r} is not the archiver of this home"
        return Finding(name, "PostgreSQL", "warning", told, hint)
    if name == "archive_timeout" and state != "right":
        return Finding(name, "PostgreSQL", "warning", is_now or "0", hint)
    return Finding(
        name,
        "PostgreSQL",
        "ok" if state == "right" else "failed",
        is_now,
        "" if state == "right" else hint,
    )


def _archiver(server: PostgresSettings) -> Finding:
    stuck = server.one(
        "SELECT coalesce(last_failed_wal, '') FROM pg_stat_archiver WHERE last_failed_time > "
        "coalesce(last_archived_time, '-infinity') UNION ALL SELECT '' LIMIT 1"
    )
    if stuck:
        hint = "abops backup wal status shows which destination refuses it"
        return Finding("archiving", "PostgreSQL", "failed", f"{stuck} does not leave", hint)
    return Finding("archiving", "PostgreSQL", "ok", "the log leaves")


def _files(home: Home, site: Site) -> Iterator[Finding]:
    secret = [path for path in home.secrets.rglob("*") if path.is_file()]
    secret += [home.engine(one.name, one.generation) for one in site.sources]
    open_ones = [path for path in secret if path.exists() and _mode(path) & 0o077]
    missing = [path.name for path in secret if not path.exists()]
    names = ", ".join(path.name for path in open_ones)
    if missing:
        hint = "abops backup init writes it again"
        yield Finding("files", "home", "failed", f"missing: {', '.join(missing)}", hint)
    yield Finding(
        "permissions",
        "home",
        "failed" if open_ones else "ok",
        f"others may read {names}" if open_ones else f"{len(secret)} secret files, owner only",
        "chmod 600 them, and take what they hold as known to others" if open_ones else "",
    )


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _space(home: Home, site: Site) -> Iterator[Finding]:
    for name, path in (("pg_wal", site.cluster.data / "pg_wal"), ("home", home.folder)):
        try:
            usage = shutil.disk_usage(path)
        except OSError as error:
            yield Finding("space", name, "failed", f"{path}: {error.strerror}")
            continue
        ratio = usage.free / usage.total
        state: State = "ok"
        if ratio < FREE_WARNING_RATIO:
            state = "warning" if ratio >= FREE_LIMIT_RATIO else "failed"
        hint = "" if state == "ok" else f"make space: below {FREE_LIMIT_RATIO:.0%} nothing is owed"
        yield Finding("space", name, state, f"{ratio:.0%} free", hint)


def _keys(home: Home, site: Site, clock: Clock) -> Iterator[Finding]:
    for place in site.sources:
        try:
            made = home.passphrase(place.name, place.generation).stat().st_mtime
        except OSError:
            continue  # it is among what is missing
        days = int((clock.now().timestamp() - made) // 86_400)
        state: State = "ok" if days < KEY_WARNING_DAYS else "warning"
        state = state if days < KEY_LIMIT_DAYS else "failed"
        told = f"{place.generation} is {days} days old"
        hint = "" if state == "ok" else f"abops backup rotate-key {place.name}"
        if place.next:
            state = "warning" if state == "ok" else state
            told += f", {place.next} is being brought in"
            hint = f"abops backup rotate-key {place.name} goes on with it"
        yield Finding("key", place.name, state, told, hint)


async def _destination(
    home: Home, site: Site, engine: Engine, place: Destination, clock: Clock
) -> list[Finding]:
    shown = await asyncio.to_thread(
        look_at_endpoint, _host(place), place.port, place.ca_file, clock
    )
    found = [*_endpoint(place, shown, clock)]
    if place.role == "backup":
        seen = await look(home, site, engine, place)
        if seen.problem is not None:
            problem = seen.problem
            found.append(Finding("repository", place.name, "failed", str(problem), problem.hint))
        else:
            found.append(Finding("repository", place.name, "ok", f"{len(seen.sets)} backups"))
    return found


def _host(place: Destination) -> str:
    """Azure's own endpoint is named by account."""
    ours = place.endpoint.startswith("blob.core.")
    return f"{place.account}.{place.endpoint}" if ours else place.endpoint


def _endpoint(place: Destination, shown: Shown, clock: Clock) -> Iterator[Finding]:
    if shown.trouble:
        told = f"{place.endpoint}, port {place.port}: {shown.trouble}"
        hint = "see network, name and certificate of this endpoint"
        yield Finding("endpoint", place.name, "failed", told, hint)
        return
    yield Finding("endpoint", place.name, "ok", f"{place.endpoint}, port {place.port}")
    if shown.expires is not None:
        left = shown.expires - clock.now().timestamp()
        soon = left < CERTIFICATE_WARNING_S
        hint = "have it renewed: then nothing is archived there" if soon else ""
        state: State = "warning" if soon else "ok"
        yield Finding("certificate", place.name, state, f"{left / 86_400:.0f} days left", hint)
    if shown.ahead_s is not None:
        off = abs(shown.ahead_s)
        state = "ok" if off < SKEW_WARNING_S else "warning" if off < SKEW_LIMIT_S else "failed"
        way = "ahead of" if shown.ahead_s > 0 else "behind"
        told = f"this clock is {off:.0f} s {way} its" if off >= 1 else "the clocks agree"
        hint = "" if state == "ok" else "set this machine's clock: the limit is five minutes"
        yield Finding("clock", place.name, state, told, hint)
