"""The stack's backups: two object-store regions of this machine, and the home that protects it.

The home lies beside PostgreSQL's data and belongs to its user, because everything in it is done
as that user; a link in `.stack` shows where. What `abops backup init` needs is written before it
runs: where the regions are, who we are to them, and the password of the socket.
"""

from pathlib import Path
from typing import Final

import msgspec

from abops.kernel.files import write_atomic
from abops.stack import cluster
from abops.stack.certificates import make_certificates
from abops.stack.credentials import read_credential
from abops.stack.regions import PORT_NAMES, Region, write_identities
from abops.stack.site import Site
from abops.stack.tools import ToolMissingError, find_tool

REGIONS: Final = ("eu", "us")
ACCESS_KEY: Final = "abops-backup"
FOLDER: Final = "backup"


def can_protect(site: Site) -> bool:
    """Tell whether this machine has the programs, and PostgreSQL a socket for the engine."""
    try:
        for tool in ("weed", "pgbackrest"):
            find_tool(tool)
    except ToolMissingError:
        return False
    return bool(cluster.socket_folder(site))


def part_name(region: str) -> str:
    """Return the name of a region's part."""
    return f"region-{region}"


def region(site: Site, name: str) -> Region:
    """Return a region as the stack declares it."""
    return Region(
        folder=site.data(part_name(name)),
        ports={port: site.port(f"{part_name(name)}-{port}") for port in PORT_NAMES},
        certificates=certificates(site),
        identities=site.layout.secrets / f"backup-{name}.identities",
    )


def certificates(site: Site) -> Path:
    """Return the folder with the regions' certificates."""
    return site.layout.config / "tls"


def home_folder(site: Site) -> Path:
    """Return the folder of the home."""
    return site.postgres_home / FOLDER


def recovery_key(site: Site) -> Path:
    """Return the file of the offline recovery key, which only a rehearsal has on its machine."""
    return site.postgres_home / "recovery.key"


def endpoints_file(site: Site) -> Path:
    """Return the file that says where the regions are."""
    return site.layout.config / "backup-endpoints.json"


def archiving(site: Site) -> dict[str, str]:
    """Return the settings by which PostgreSQL hands over its log; off where nobody takes it."""
    if not can_protect(site):
        return {"archive_mode": "off"}
    return {
        "archive_mode": "on",
        "archive_timeout": "60s",
        "archive_command": f"{home_folder(site)}/bin/pgbackrest-wal push %p",
    }


def prepare(site: Site) -> None:
    """Write what the regions and the home are made from; running it again changes nothing."""
    if not can_protect(site):
        return
    make_certificates(certificates(site))
    for name in REGIONS:
        secret = read_credential(site.layout.secrets, f"backup-{name}-key")
        here = region(site, name)
        write_identities(here.identities, ACCESS_KEY, secret)
        for folder in ("logs", "tmp"):
            (here.folder / folder).mkdir(exist_ok=True)
        keys = {"access_key": ACCESS_KEY, "secret_key": secret}
        _keep(site.layout.secrets / f"backup-{name}.json", msgspec.json.encode(keys), mode=0o600)
    home = home_folder(site)
    home.mkdir(mode=0o700, exist_ok=True)
    (home / "secrets").mkdir(mode=0o700, exist_ok=True)
    # Of a socket that is not in the usual folder, libpq looks up the folder's path as the host.
    login = f"*:{site.port('postgres')}:*:{cluster.SUPERUSER}:{site.secret('postgres')}\n"
    _keep(home / "secrets" / "pgpass", login.encode(), mode=0o600)
    _keep(home / "ca.crt", (certificates(site) / "ca.crt").read_bytes())
    _keep(endpoints_file(site), msgspec.json.encode(_endpoints(site)))
    link = site.layout.state / FOLDER
    if link.is_symlink() and link.readlink() != home:
        link.unlink()
    if not link.is_symlink():
        link.symlink_to(home)


def _endpoints(site: Site) -> dict[str, dict[str, str | int]]:
    certificate = str(home_folder(site) / "ca.crt")
    return {
        name: {
            "endpoint": "localhost",
            "port": region(site, name).ports["s3-https"],
            "ca_file": certificate,
        }
        for name in REGIONS
    }


def _keep(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    if not path.is_file() or path.read_bytes() != content:
        write_atomic(path, content, mode=mode)
