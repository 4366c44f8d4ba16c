"""From the engine's `info` to one value for each backup."""

from datetime import datetime

from abops.backup.model import BackupType, Destination, SetFacts
from abops.clients.pgbackrest_answers import Backup, Info

RUN_ANNOTATION = "abops-run"
KEEP_ANNOTATION = "abops-keep"
UNTIL_ANNOTATION = "abops-keep-until"
"""A date, `2027-01-31`: from that day on, by UTC, the set is like any other."""


def facts_of(info: Info, destination: Destination) -> tuple[SetFacts, ...]:
    """Return the backups of a destination, oldest first."""
    systems = {database.id: database.system_id for database in info.db}
    return tuple(
        _facts(backup, destination, systems.get(backup.database.id, 0), info.asked)
        for backup in info.backup
    )


def _kept_as(annotation: dict[str, str], asked: float) -> str:
    """Return as what a set is kept, empty when it is not, or not any more."""
    name, until = annotation.get(KEEP_ANNOTATION, ""), annotation.get(UNTIL_ANNOTATION, "")
    if not name or not until:
        return name
    try:
        ended = datetime.fromisoformat(f"{until}T00:00:00+00:00").timestamp() <= asked
    except ValueError:
        ended = False  # nobody can tell: better kept
    return "" if ended else f"{name} until {until}"


def _facts(backup: Backup, destination: Destination, system_id: int, asked: float) -> SetFacts:
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
        keep=_kept_as(backup.annotation, asked),
        system_id=system_id,
    )
