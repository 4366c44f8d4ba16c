"""The same facts under the names of the public exporter of pgBackRest, for its dashboards.

A destination is a repository there: `repo_key` counts them from 1 in the inventory's order. What
needs a question to the destination (its status) is as of the last look at it.
"""

from collections.abc import Iterator
from typing import Final

from abops.backup.service.scheduling.figures import TYPES, Family, Known, Sample

CIPHER: Final = "aes-256-cbc"
_BLOCKS: Final = "y"
_CLUSTER: Final = "1"
"""The engine counts upgrades of the cluster; each of ours has a repository of its own."""
_OK, _EMPTY, _OTHER = 0.0, 2.0, 99.0


def _repositories(known: Known) -> Iterator[tuple[str, str]]:
    """Yield each destination that makes backups, and its number."""
    sources = [place.name for place in known.places if place.role == "backup"]
    yield from ((name, str(number)) for number, name in enumerate(sources, start=1))


def _since_last(known: Known) -> Iterator[Sample]:
    for kind in TYPES:
        stopped = [one.stopped for one in known.sets if one.type == kind]
        if stopped:
            yield Sample((kind, _BLOCKS, known.stanza), known.now - max(stopped))


def _status(known: Known) -> Iterator[Sample]:
    for name, number in _repositories(known):
        last = next((one for one in known.checks if one.destination == name), None)
        kept = any(one.destination == name for one in known.sets)
        away = last is not None and last.was_away
        yield Sample((CIPHER, number, known.stanza), _OTHER if away else _OK if kept else _EMPTY)


def _errors(known: Known) -> Iterator[Sample]:
    for name, number in _repositories(known):
        for one in known.sets:
            if one.destination == name:
                labels = (one.label, one.type, _BLOCKS, _CLUSTER, number, known.stanza)
                yield Sample(labels, float(one.error))


def _archive(known: Known) -> Iterator[Sample]:
    for name, number in _repositories(known):
        kept = any(one.destination == name for one in known.sets)
        # The exporter leaves the first and the last segment out unless it is asked for them.
        labels = (_CLUSTER, known.pg_version, number, known.stanza, "", "")
        yield Sample(labels, float(kept))


PUBLIC: Final = (
    Family(
        "pgbackrest_backup_since_last_completion_seconds",
        "Seconds since the last completed backup of a type",
        ("backup_type", "block_incr", "stanza"),
        _since_last,
    ),
    Family(
        "pgbackrest_repo_status",
        "0 ok, 2 no valid backups, 99 other: as of the last look at it",
        ("cipher", "repo_key", "stanza"),
        _status,
    ),
    Family(
        "pgbackrest_backup_error_status",
        "Whether pages with a wrong checksum were met",
        ("backup_name", "backup_type", "block_incr", "database_id", "repo_key", "stanza"),
        _errors,
    ),
    Family(
        "pgbackrest_wal_archive_status",
        "Whether there is archived log",
        ("database_id", "pg_version", "repo_key", "stanza", "wal_max", "wal_min"),
        _archive,
    ),
)
