"""Roles, tablespaces and grants of a cluster: what no dump of one database holds."""

import os
from pathlib import Path
from typing import Final

from abops.clients.postgres_session import SocketAddress
from abops.clients.programs import call
from abops.kernel.errors import OpsError

DEADLINE_S: Final = 60.0
_RESTRICTIONS: Final = (b"\\restrict ", b"\\unrestrict ")
"""Words of psql with a random key: the text would never be the same twice."""


class GlobalsError(OpsError):
    """Roles and grants of the cluster cannot be read."""

    hint = "PostgreSQL must run, and its superuser be let in on the socket."


async def dump_globals(program: Path, address: SocketAddress) -> bytes:
    """Return what pg_dumpall tells; it holds hashes of passwords and stays in memory."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"}
    if address.password_file is not None and address.password_file.is_file():
        environment["PGPASSFILE"] = str(address.password_file)
    words = ["--globals-only", "--no-password", "-h", str(address.folder)]
    words += ["-p", str(address.port), "-U", address.user]
    try:
        ended = await call(program, *words, timeout_s=DEADLINE_S, environment=environment)
    except OSError as error:
        raise GlobalsError(f"{program.name}: {error.strerror}") from error
    if ended.timed_out:
        raise GlobalsError(f"{program.name} took over {DEADLINE_S:.0f} s")
    if ended.code != 0:
        raise GlobalsError(f"{program.name}: {ended.errors[:300]}")
    lines = ended.output.splitlines(keepends=True)
    return b"".join(line for line in lines if not line.startswith(_RESTRICTIONS))
