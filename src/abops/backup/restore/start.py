"""Starting what was restored, where nobody else reaches it.

On a socket in a folder of its own, without network and without archiving; whoever can enter that
folder is let in, for the passwords and certificates of the old server may be gone. Its log is
judged by the line: a server that once said FATAL is not one to go on with.
"""

import asyncio
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

from abops.backup.model import Cluster
from abops.clients.postgres import PostgresUnreachableError
from abops.clients.postgres_server import PostgresServer, ServerStartError
from abops.clients.postgres_session import (
    PostgresSession,
    PostgresStatementError,
    SocketAddress,
)
from abops.clients.programs import call
from abops.kernel.errors import OpsError
from abops.kernel.files import write_atomic

PORT: Final = 5432
"""Of the socket's name only: nothing listens on the network."""
CONTROL_S: Final = 30.0
_ANY_DATABASE: Final = "postgres"
_UNREACHED: Final = "recovery ended before configured recovery target was reached"
_LAST_TRANSACTION: Final = re.compile(r"last completed transaction was at log time (.+)")
_POLL_S: Final = 0.05
REDONE: Final = re.compile(r"LOG:\s+redo (?:done at|is not required)|archive recovery complete")
_STANDBY_NEEDS: Final = {
    "max_connections setting": "max_connections",
    "max_worker_processes setting": "max_worker_processes",
    "max_wal_senders setting": "max_wal_senders",
    "max_prepared_xacts setting": "max_prepared_transactions",
    "max_locks_per_xact setting": "max_locks_per_transaction",
}


class TargetUnreachedError(OpsError):
    """The log that was replayed has nothing at or after the point that was asked for."""

    hint = (
        "Restore into a new folder: --time a moment before that last transaction, or without a "
        "point for everything that there is."
    )


class Private(msgspec.Struct, frozen=True):
    """A folder of its own for a server: socket, who is let in, log."""

    folder: Path

    @property
    def log(self) -> Path:
        """Return the server's log."""
        return self.folder / "postgres.log"

    @property
    def hba(self) -> Path:
        """Return who is let in: whoever can enter the folder."""
        return self.folder / "pg_hba.conf"

    @property
    def config(self) -> Path:
        """Return settings for a cluster that keeps its own elsewhere."""
        return self.folder / "postgresql.conf"


def make_private() -> Private:
    """Make the folder; a socket's path must be short, so it is a temporary one."""
    private = Private(Path(tempfile.mkdtemp(prefix="abops-restored-")))
    write_atomic(private.hba, "local all all trust\n", mode=0o600)
    return private


async def private_server(cluster: Cluster, data: Path, private: Private) -> PostgresServer:
    """Return the server of a restored folder, not started yet."""
    if not (data / "postgresql.conf").is_file():
        write_atomic(private.config, await _needed(cluster, data), mode=0o600)
    address = SocketAddress(folder=private.folder, port=PORT, user=cluster.superuser)
    return PostgresServer(cluster.programs, data, private.log, address=address)


def private_settings(data: Path, private: Private) -> dict[str, str]:
    """Return what must be true of the server whatever its own files say."""
    settings = {
        "archive_mode": "off",
        "hba_file": str(private.hba),
        "ssl": "off",
        "hot_standby": "on",
        # Beside the live server there may be no room for a second one of its size.
        "shared_buffers": "128MB",
    }
    if not (data / "postgresql.conf").is_file():
        settings["config_file"] = str(private.config)
    return settings


@asynccontextmanager
async def running_apart(
    cluster: Cluster, data: Path, settings: Mapping[str, str] | None = None
) -> AsyncIterator[PostgresServer]:
    """Run a restored folder's server until the block ends, then stop it in order."""
    private = make_private()
    try:
        server = await private_server(cluster, data, private)
        await server.start({**private_settings(data, private), **(settings or {})})
        try:
            yield server
        finally:
            await server.stop()
    finally:
        shutil.rmtree(private.folder, ignore_errors=True)


async def start_apart(cluster: Cluster, data: Path, *, timeout_s: float = 3_600.0) -> SocketAddress:
    """Start a restored folder's server and leave it running once it takes writes."""
    private = make_private()
    server = await private_server(cluster, data, private)
    await server.start(private_settings(data, private))
    try:
        await until_promoted(server, timeout_s)
    except BaseException:
        await server.stop()
        raise
    server.leave()
    return server.address


async def until_promoted(server: PostgresServer, timeout_s: float) -> None:
    """Wait until it takes writes. Raises ServerStartError with what its log complains about.

    A server that still replays calls itself ready as soon as it can be read.
    """
    try:
        await server.until("ready", timeout_s=timeout_s)
        with PostgresSession(server.address, _ANY_DATABASE) as session:
            async with asyncio.timeout(timeout_s):
                while session.one("SELECT pg_is_in_recovery()"):
                    if server.state() == "ended":
                        break
                    await asyncio.sleep(_POLL_S)
    except (PostgresStatementError, PostgresUnreachableError, ServerStartError) as error:
        # A server that ends takes the session along; what its log says is the reason.
        raise _complained(server) or error from error
    if complained := _complained(server):
        raise complained


def _complained(server: PostgresServer) -> OpsError | None:
    """Return what the server's log complains about; None when it does not."""
    why = server.complaint()
    if _UNREACHED not in why:
        return ServerStartError(f"the server complained: {why}") if why else None
    found = _LAST_TRANSACTION.findall(server.told())
    told = f": its last transaction was at {found[-1]}" if found else ""
    return TargetUnreachedError(f"the log ends before the point that was asked for{told}")


async def _needed(cluster: Cluster, data: Path) -> str:
    """Return the settings that a server needs at least, to replay what the old one wrote."""
    ended = await call(cluster.programs / "pg_controldata", "-D", str(data), timeout_s=CONTROL_S)
    if ended.code != 0:
        raise ServerStartError(f"{data}: pg_controldata: {ended.errors}")
    lines = ended.output.decode(errors="replace").splitlines()
    told = dict(line.split(":", 1) for line in lines if ":" in line)
    return "".join(
        f"{setting} = {told[name].strip()}\n"
        for name, setting in _STANDBY_NEEDS.items()
        if name in told
    )
