"""Putting a restored folder in the place of the live one.

Writers are shut out first, so that nobody writes into what is about to be left; then the old
server stops, the folders change places, and the new one starts as the old one was started. The old
folder stays: it is the only copy of what was written since the target.
"""

import asyncio
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from abops.backup.model import Cluster, Home, Site
from abops.backup.restore.folder import read_record
from abops.clients.postgres_server import running_pid, start_detached, state_of
from abops.clients.postgres_session import PostgresSession, SocketAddress
from abops.clients.programs import call
from abops.kernel.clock import Clock
from abops.kernel.errors import OpsError
from abops.kernel.files import write_atomic

STOP_S: Final = 120.0
START_S: Final = 120.0
FENCE: Final = "# Written by a cutover: only its owner gets in.\nlocal all {user} trust\n"
KEPT_HBA: Final = "pg_hba.conf.before-cutover"
_POLL_S: Final = 0.1
_ARCHIVE_OFF: Final = re.compile(r"^\s*archive_mode\s*=.*\n?", re.MULTILINE)


class CutoverError(OpsError):
    """The restored folder was not put in place."""


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What was done."""

    data: Path
    kept: Path | None
    """Where the old folder is now."""
    started: tuple[str, ...]
    seconds: float


async def cutover(
    home: Home, site: Site, new: Path, clock: Clock, *, start: Sequence[str] = ()
) -> Done:
    """Put `new` in place and start it, as `start` says or as the old one was started."""
    began = clock.monotonic()
    cluster = site.cluster
    _refuse(cluster, new)
    argv = tuple(start) or _started_as(cluster)
    if running_pid(cluster.data) is not None:
        hba = _fence(home, cluster)
        try:
            await _stop(cluster)
        finally:
            # The old folder is kept as it was: whoever starts it again gets in as before.
            hba.with_name(KEPT_HBA).replace(hba)
    kept = _swap(cluster, new, clock)
    _archive_again(cluster.data)
    await _start(cluster, argv, kept)
    return Done(data=cluster.data, kept=kept, started=argv, seconds=clock.monotonic() - began)


def _swap(cluster: Cluster, new: Path, clock: Clock) -> Path | None:
    """Put the new folder where the old one was; return where the old one is now."""
    kept = None
    if cluster.data.exists():
        kept = cluster.data.with_name(f"{cluster.data.name}.before-{clock.now():%Y%m%d-%H%M%S}")
        cluster.data.rename(kept)
    new.rename(cluster.data)
    return kept


def _refuse(cluster: Cluster, new: Path) -> None:
    """Refuse what nobody has judged, what runs, what cannot be renamed."""
    record = read_record(new)
    if record.verified_at is None:
        raise CutoverError(
            f"nobody has judged {new} yet", hint=f"abops backup verify-restored {new}"
        )
    if running_pid(new) is not None:
        raise CutoverError(f"a server runs on {new}", hint="Stop it first.")
    if new.stat().st_dev != cluster.data.parent.stat().st_dev:
        raise CutoverError(
            f"{new} is on another volume than {cluster.data}",
            hint=f"Restore into a folder beside it: {cluster.data}.new",
        )


def _started_as(cluster: Cluster) -> tuple[str, ...]:
    """Return how the old server was started, by its own note; else the plainest way."""
    try:
        words = shlex.split((cluster.data / "postmaster.opts").read_text())
    except OSError:
        words = []
    return tuple(words) or (str(cluster.programs / "postgres"), "-D", str(cluster.data))


def _fence(home: Home, cluster: Cluster) -> Path:
    """Let nobody in but ourselves, send away who is in, and hand over the last log."""
    address = SocketAddress(
        folder=cluster.socket,
        port=cluster.port,
        user=cluster.superuser,
        password_file=home.password_file,
    )
    with PostgresSession(address, cluster.database) as session:
        hba = Path(session.one("SHOW hba_file"))
        write_atomic(hba.with_name(KEPT_HBA), hba.read_bytes(), mode=0o600)
        write_atomic(hba, FENCE.format(user=cluster.superuser), mode=0o600)
        session.rows("SELECT pg_reload_conf()")
        session.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        session.rows("SELECT pg_switch_wal()")
    return hba


async def _stop(cluster: Cluster) -> None:
    words = ("-D", str(cluster.data), "-m", "fast", "-t", f"{STOP_S:.0f}", "stop")
    ended = await call(cluster.programs / "pg_ctl", *words, timeout_s=STOP_S + 5)
    if ended.code != 0:
        raise CutoverError(
            f"the old server did not stop: {ended.errors or ended.code}", hint="Nothing was moved."
        )


def _archive_again(data: Path) -> None:
    """Undo what kept the restored server from archiving, and let its new timeline be archived.

    Its history was written while archiving was off: without it no later restore could follow.
    """
    settings = data / "postgresql.auto.conf"
    write_atomic(settings, _ARCHIVE_OFF.sub("", settings.read_text()), mode=0o600)
    status = data / "pg_wal" / "archive_status"
    status.mkdir(exist_ok=True)
    for history in (data / "pg_wal").glob("*.history"):
        if not (status / f"{history.name}.done").exists():
            (status / f"{history.name}.ready").touch()


async def _start(cluster: Cluster, argv: Sequence[str], kept: Path | None) -> None:
    log = cluster.data.with_name(f"{cluster.data.name}.log")
    await start_detached(argv, log)
    try:
        async with asyncio.timeout(START_S):
            # Another process tells by its file: there is nothing to be awaited.
            while state_of(cluster.data) != "ready":  # noqa: ASYNC110 - as above
                await asyncio.sleep(_POLL_S)
    except TimeoutError as error:
        raise CutoverError(
            f"the new server is not ready after {START_S:.0f} s: see {log}",
            hint=f"The old folder is {kept}: rename it back and start it.",
        ) from error
