"""A quarter of an hour of what backups publish: one destination in order, others in trouble."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.history import Past, past, start_prometheus, write_past
from support.servers import Server

SPAN_S, AHEAD_S = 900.0, 1_200.0
HOUR_S, DAY_S = 3_600.0, 86_400.0


def published(now: float) -> list[Past]:
    """Return the series: `eu` in order, `us` far behind with a gap, `azure` never tried."""
    return [
        *_destination("eu", now, full=2 * DAY_S, incr=9 * HOUR_S, drill=7 * HOUR_S, fetch=21.4),
        *_destination(
            "us",
            now,
            full=3 * DAY_S,
            incr=30 * HOUR_S,
            drill=32 * HOUR_S,
            fetch=36.0,
            owed=41,
            gap=7,
        ),
        *_destination("azure", now, full=5 * HOUR_S, incr=5 * HOUR_S),
    ]


def _destination(
    dest: str,
    now: float,
    *,
    full: float,
    incr: float,
    drill: float | None = None,
    fetch: float = 0.0,
    owed: int = 0,
    gap: int = 0,
) -> Iterator[Past]:
    where = {"env": "local", "dest": dest}
    last = "abops_backup_last_success_timestamp_seconds"
    yield past(last, now - full, **where, type="full")
    yield past(last, now - incr, **where, type="incr")
    yield past("abops_backup_size_bytes", 3.6e9, **where, type="full")
    yield past("abops_backup_repo_bytes", 2.9e9, **where)
    yield past("abops_backup_destination_up", float(not owed), **where)
    yield past("abops_backup_wal_owed_segments", owed, **where)
    yield past("abops_backup_wal_oldest_owed_seconds", owed * 60.0, **where)
    yield past("abops_backup_wal_gap_segments", gap, **where)
    yield past("abops_backup_verify_invalid_objects", 0, **where)
    yield past("abops_backup_verify_last_success_timestamp_seconds", now - 6 * HOUR_S, **where)
    yield past("abops_backup_oldest_recoverable_timestamp_seconds", now - 30 * DAY_S, **where)
    yield past("abops_backup_key_age_days", 41, **where, generation="g1")
    yield past("abops_backup_config_last_success_timestamp_seconds", now - 0.4 * HOUR_S, **where)
    if drill is None:
        return
    tried = "abops_restore_drill_last_success_timestamp_seconds"
    yield past(tried, now - drill, **where)
    yield past("abops_restore_drill_rpo_seconds", 13.0, **where)
    phases = {"provision": 0.4, "fetch": fetch, "replay": 6.2, "promote": 1.1, "checks": 9.8}
    for phase, seconds in phases.items():
        yield past("abops_restore_drill_rto_seconds", seconds, **where, phase=phase)


@contextmanager
def backups_in_prometheus(folder: Path, now: float) -> Iterator[Server]:
    """Run a Prometheus that knows the time around `now`."""
    data = folder / "backups"
    write_past(data, published(now), start=now - SPAN_S, end=now + AHEAD_S, step=60)
    with start_prometheus(data) as prometheus:
        yield prometheus
