"""Finding the cluster that is to be protected, and what it must be told."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from abops.backup.model import Cluster, Home
from abops.kernel.errors import OpsError

POSTMASTER_FILE: Final = "postmaster.pid"
_PORT_LINE, _SOCKET_LINE = 3, 4


class ClusterError(OpsError):
    """The database cannot be protected from here."""

    hint = (
        "The engine reads the cluster's files: run this on the database's own machine, with the "
        "folder that `show data_directory` tells. A managed database without file access is "
        "protected by its provider's backups, not by this."
    )


class Where(msgspec.Struct, frozen=True, kw_only=True):
    """What a person says about the cluster; empty is found out."""

    data: Path
    superuser: str
    database: str
    programs: Path
    port: int = 0
    socket: Path | None = None


def find_cluster(where: Where) -> Cluster:
    """Return the cluster of a data folder, by what its running server wrote there."""
    data = where.data
    try:
        owner = data.owner()
        (data / "PG_VERSION").read_text()
    except OSError as error:
        raise ClusterError(f"{data} is no data folder of PostgreSQL: {error.strerror}") from error
    except KeyError as error:
        raise ClusterError(f"{data} belongs to nobody whom this machine knows") from error
    port, socket = where.port, where.socket
    if not port or socket is None:
        told_port, told_socket = _told(data)
        port, socket = port or told_port, socket or told_socket
    return Cluster(
        data=data.resolve(),
        port=port,
        socket=socket,
        superuser=where.superuser,
        programs=where.programs,
        owner=owner,
        database=where.database,
    )


def _told(data: Path) -> tuple[int, Path]:
    try:
        lines = (data / POSTMASTER_FILE).read_text().splitlines()
        # Several folders may be named: the first is as good as any.
        return int(lines[_PORT_LINE]), Path(lines[_SOCKET_LINE].split(",")[0].strip())
    except (OSError, IndexError, ValueError) as error:
        raise ClusterError(
            f"PostgreSQL does not run in {data}",
            hint="Start it, or say --port and --socket.",
        ) from error


def wanted_settings(home: Home) -> Mapping[str, str]:
    """Return what PostgreSQL must be set to, so that its log leaves the machine.

    The engine refuses a backup unless its own name is in archive_command.
    """
    return {
        "wal_level": "replica",
        "archive_mode": "on",
        "archive_timeout": "60s",
        "archive_command": f"{_quoted(home.programs / 'pgbackrest-wal')} push %p",
    }


def _quoted(path: Path) -> str:
    text = str(path).replace("%", "%%")
    return (
        text
        if text.replace("/", "").replace("-", "").replace("_", "").replace(".", "").isalnum()
        else "'" + text.replace("'", "'\\''") + "'"
    )
