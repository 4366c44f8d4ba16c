"""What protects the database: two object-store regions, the WAL archiver."""

from typing import Final

from abops.stack import backups, cluster
from abops.stack.layout import INVENTORY_FILE
from abops.stack.part import HttpCheck, Part
from abops.stack.programs import ABOPS
from abops.stack.regions import region_argv
from abops.stack.site import Site

LOST: Final = "no backups: the database of this stack is not protected"


def protection(site: Site) -> tuple[Part, ...]:
    """Return the parts of the backups; none where the machine cannot make any."""
    if not backups.can_protect(site):
        return ()
    return (
        *(_region(site, name) for name in backups.REGIONS),
        _init(site),
        _key(site),
        _archiver(site),
        _scheduler(site),
    )


def _region(site: Site, name: str) -> Part:
    part = backups.part_name(name)
    region = backups.region(site, name)
    return Part(
        name=part,
        argv=region_argv(region),
        # It leaves sockets in the temporary folder, where another user's stop its start.
        env={"TMPDIR": str(region.folder / "tmp")},
        check=HttpCheck(region.ports["s3"], "/healthz"),
        # A TERM takes 15 s and a KILL loses nothing that was acknowledged.
        stop_grace_s=2.0,
        url=site.url(f"{part}-s3"),
        without=LOST,
        memory_mib=160,
    )


def _init(site: Site) -> Part:
    return Part(
        name="backup-init",
        argv=_abops(
            site,
            "init",
            *("--inventory", str(site.layout.root / INVENTORY_FILE)),
            *("--data", str(cluster.data_folder(site))),
            *("--superuser", cluster.SUPERUSER, "--database", cluster.DATABASE),
            *("--secrets", str(site.layout.secrets)),
            *("--endpoints", str(backups.endpoints_file(site)), "--make-buckets"),
            *(word for name in backups.REGIONS for word in ("--destination", name)),
        ),
        depends_on=("postgres-setup", *map(backups.part_name, backups.REGIONS)),
        runs_once=True,
        without=LOST,
    )


def _key(site: Site) -> Part:
    """Make what a real place has on paper: the key that opens the bundles on an empty machine."""
    file = str(backups.recovery_key(site))
    return Part(
        name="backup-key",
        argv=_abops(site, "config", "init-key", "--if-none", "--write-identity", file),
        depends_on=("backup-init",),
        runs_once=True,
        without=LOST,
    )


def _abops(site: Site, *words: str) -> tuple[str, ...]:
    return (str(ABOPS), "backup", *words, "--home", str(backups.home_folder(site)))


def _archiver(site: Site) -> Part:
    port = site.port("backup-wal")
    return Part(
        name="backup-wal",
        argv=_abops(site, "wal", "serve", "--metrics-port", str(port)),
        as_postgres=True,
        depends_on=("backup-init",),
        check=HttpCheck(port, "/metrics"),
        url=site.url("backup-wal", "/metrics"),
        without=LOST,
        memory_mib=96,
    )


def _scheduler(site: Site) -> Part:
    port = site.port("backup")
    inventory = str(site.layout.root / INVENTORY_FILE)
    return Part(
        name="backup",
        argv=_abops(site, "schedule", "--metrics-port", str(port), "--inventory", inventory),
        depends_on=("backup-key", "backup-wal"),
        check=HttpCheck(port, "/metrics"),
        url=site.url("backup", "/metrics"),
        without=LOST,
        memory_mib=128,
    )
