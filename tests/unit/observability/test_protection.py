"""What the published series of the backups mean beside the promises of platform.yaml."""

from datetime import UTC, datetime, timedelta

import pytest

from abops.inventory.backup import Backup
from abops.observability.protection import Problem, Sample, Standing, standings

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
S3 = {"type": "s3", "bucket": "b", "endpoint": "e", "region": "r", "credentials": "c"}
BACKUP = Backup.model_validate({"store": "db", "destinations": {"eu": S3, "us": S3}})


def samples(dest: str = "eu", /, **other: float | None) -> list[Sample]:
    """Return what a destination in order publishes, with other values for some; None: not at all.

    Names are without `abops_`; the type or phase comes after two underscores.
    """
    at = NOW.timestamp()
    values: dict[str, float | None] = {
        "backup_last_success_timestamp_seconds__full": at - 86_400,
        "backup_last_success_timestamp_seconds__incr": at - 3_600,
        "backup_size_bytes__full": 5e9,
        "backup_destination_up": 1,
        "backup_wal_owed_segments": 0,
        "backup_wal_oldest_owed_seconds": 0,
        "backup_wal_gap_segments": 0,
        "backup_verify_invalid_objects": 0,
        "restore_drill_last_success_timestamp_seconds": at - 7_200,
        "restore_drill_rto_seconds__fetch": 20,
        "restore_drill_rto_seconds__replay": 10,
        "restore_drill_rpo_seconds": 15,
        **other,
    }
    found = []
    for key, value in values.items():
        name, _, kind = key.partition("__")
        which = {"phase" if "rto" in name else "type": kind} if kind else {}
        if value is not None:
            labels = {"__name__": f"abops_{name}", "env": "local", "dest": dest, **which}
            found.append((labels, value))
    return found


def one(**other: float | None) -> Standing:
    """Return how a destination stands."""
    return standings(BACKUP, samples(**other), NOW)[0]


def test_a_destination_in_order_has_no_problem_and_tells_its_last_restore() -> None:
    found = one()
    assert () == found.problems
    assert None is found.severity
    assert NOW - timedelta(hours=1) == found.newest
    assert NOW - timedelta(days=1) == found.full
    assert found.drill is not None
    assert (timedelta(seconds=30), timedelta(seconds=15)) == (found.drill.rto, found.drill.rpo)
    assert [("fetch", 20.0), ("replay", 10.0)] == [
        (phase, span.total_seconds()) for phase, span in found.drill.phases
    ]


@pytest.mark.parametrize(
    ("series", "just_right", "too_much", "problem"),
    [
        pytest.param(
            "backup_last_success_timestamp_seconds__full",
            NOW.timestamp() - 8 * 86_400,
            NOW.timestamp() - 8 * 86_400 - 1,
            Problem("warning", "the newest full backup is 8d 00h old", "BackupTooOld"),
            id="full",
        ),
        pytest.param(
            "backup_wal_gap_segments",
            0,
            7,
            Problem("critical", "7 WAL segments missing", "BackupWalGap"),
            id="gap",
        ),
        pytest.param(
            "backup_verify_invalid_objects",
            0,
            1,
            Problem("critical", "1 object damaged", "BackupVerifyFailed"),
            id="damage",
        ),
        pytest.param(
            "backup_wal_oldest_owed_seconds",
            900,
            901,
            Problem("warning", "the log waits for it since 15m 01s", "BackupRegionStale"),
            id="owed",
        ),
        pytest.param(
            "backup_destination_up",
            1,
            0,
            Problem("warning", "it does not answer", "BackupRegionStale"),
            id="away",
        ),
        pytest.param(
            "restore_drill_last_success_timestamp_seconds",
            NOW.timestamp() - 8 * 86_400,
            0,
            Problem("warning", "no restore from it was ever tried", "BackupRestoreDrillTooOld"),
            id="never tried",
        ),
        pytest.param(
            "restore_drill_rto_seconds__fetch",
            3_590,
            3_591,
            Problem(
                "warning", "restoring took 1h 00m; promised is 1h 00m", "BackupRestoreDrillTooOld"
            ),
            id="rto",
        ),
        pytest.param(
            "restore_drill_rpo_seconds",
            300,
            360,
            Problem(
                "warning", "a restore lost 6m 00s; promised is 5m 00s", "BackupRestoreDrillTooOld"
            ),
            id="rpo",
        ),
        pytest.param(
            "backup_key_age_days",
            335,
            336,
            Problem("warning", "its key is 336 days old", "BackupKeyExpires"),
            id="key",
        ),
    ],
)
def test_each_limit_is_kept_to_its_edge_and_told_beyond_it(
    series: str, just_right: float, too_much: float, problem: Problem
) -> None:
    assert () == one(**{series: just_right}).problems
    assert (problem,) == one(**{series: too_much}).problems


def test_an_old_backup_of_any_type_is_what_stands_first() -> None:
    late = NOW.timestamp() - 26 * 3_600 - 1
    found = one(
        backup_last_success_timestamp_seconds__full=late,
        backup_last_success_timestamp_seconds__incr=None,
        backup_destination_up=0,
    )
    assert "critical" == found.severity
    assert ["BackupTooOld", "BackupRegionStale"] == [p.alert for p in found.problems]


def test_destinations_stand_in_the_order_of_the_inventory_and_others_after_them() -> None:
    found = standings(BACKUP, [*samples("old"), *samples("us"), *samples("eu")], NOW)
    assert ["eu", "us", "old"] == [standing.dest for standing in found]


def test_a_destination_that_publishes_nothing_is_not_left_out() -> None:
    found = standings(BACKUP, samples("us"), NOW)
    assert [("local", "us"), ("", "eu")] == [(s.env, s.dest) for s in found]
    assert ("nothing is known of it: no series",) == tuple(
        p.words for p in found[1].problems if p.alert == "BackupTooOld"
    )


def test_series_of_one_environment_say_nothing_about_another() -> None:
    other = [({**labels, "env": "production"}, value) for labels, value in samples("eu")]
    damaged = [(dict(labels), value) for labels, value in samples(backup_wal_gap_segments=3)]
    found = standings(BACKUP, [*damaged, *other], NOW)
    assert [("local", 3), ("production", 0)] == [(s.env, s.gaps) for s in found if s.dest == "eu"]
