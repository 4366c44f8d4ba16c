"""From the engine's `info` to one value for each backup."""

from abops.backup.model import BackupType, Destination, SetFacts
from abops.clients.pgbackrest_answers import Backup, Info

RUN_ANNOTATION = "abops-run"


def facts_of(info: Info, destination: Destination) -> tuple[SetFacts, ...]:
    """Return the backups of a destination, oldest first."""
    systems = {database.id: database.system_id for database in info.db}
    return tuple(
        _facts(backup, destination, systems.get(backup.database.id, 0)) for backup in info.backup
    )


def _facts(backup: Backup, destination: Destination, system_id: int) -> SetFacts:
    # A differential is one more that needs its full: to us an incremental.
    kind: BackupType = "full" if backup.type == "full" else "incr"
    return SetFacts(
        destination=destination.name,
        generation=destination.generation,
        label=backup.label,
        type=kind,
        prior=backup.prior or "",
        started=float(backup.timestamp.start or 0),
        stopped=float(backup.timestamp.stop or 0),
        wal_start=str(backup.archive.start or ""),
        wal_stop=str(backup.archive.stop or ""),
        lsn_start=str(backup.lsn.start or ""),
        lsn_stop=str(backup.lsn.stop or ""),
        size=backup.info.size,
        repo_size=backup.info.repository.delta,
        error=bool(backup.error),
        run=backup.annotation.get(RUN_ANNOTATION, ""),
        system_id=system_id,
    )
