"""The engine as a home needs it: its program, and the password of the socket."""

from collections.abc import Mapping

from abops.backup.model import Home, Site
from abops.clients.pgbackrest import Engine


def engine_of(home: Home, site: Site, also: Mapping[str, str] | None = None) -> Engine:
    """Return the engine of a home, for whoever runs as the owner of the cluster.

    `also` are options of its own that hold for every call, as it reads them from what it sees.
    """
    return Engine(site.engine, environment={**socket_environment(home), **(also or {})})


def socket_environment(home: Home) -> dict[str, str]:
    """Return what programs of PostgreSQL need to be let in on the socket."""
    if home.password_file.is_file():
        return {"PGPASSFILE": str(home.password_file)}
    return {}
