"""The catalogue of faults: what is played here, and what tests show."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from support.backup import Protected, RegionServer, protect
from support.faults.damage import HURTS, damaged_object, missing_segments
from support.faults.dead import killed_postmaster, new_timeline, region_gone
from support.faults.disks import (
    filled_restore_target,
    full_log,
    full_region,
    refused_restore_target,
)
from support.faults.leaders import two_schedulers
from support.faults.told import Told, made

Regions = Mapping[str, RegionServer]
Play = Callable[[Regions], Told]
HERE = "tests/integration/backup"


@dataclass(frozen=True)
class Scene:
    """A fault that is played by this command."""

    row: int
    name: str
    play: Play


@dataclass(frozen=True)
class Shown:
    """A fault that a test plays; `node` is the test, or one case of it."""

    row: int
    name: str
    node: str


ROWS = {
    1: "kill -9 of the backup, of the postmaster",
    2: "kill -9 of the archiver or its client at each step",
    3: "an object flipped, truncated, deleted",
    4: "seven WAL segments gone",
    5: "a region frozen or refusing",
    6: "disk full: log, owed, restore target, region",
    7: "wrong secret, expired certificate, wrong passphrase",
    8: "clock 20 minutes ahead",
    9: "two schedulers, a hung leader, another timeline",
    10: "retention at 29 and 31 days, nothing valid, empty catalog",
    11: "leaked credentials delete everything",
    12: "bundle altered, wrong key, key lost",
    13: "restore into a folder that is used, or live",
}


def on_a_database(
    play: Callable[[Protected], Told], *, scale: int = 1, backed_up: bool = False
) -> Play:
    """Have a scene played on a database of its own, filled, its log archived to both regions."""

    def played(regions: Regions) -> Told:
        with protect(regions) as protected:
            protected.archive_directly("eu", "us")
            protected.database.fill(scale)
            if backed_up:
                made(protected, "--type", "full")
            return play(protected)

    return played


def catalogue(segments: int) -> tuple[Scene | Shown, ...]:
    """Return all cases; `segments`: how many at least while a region is gone."""
    return (*_on_the_way(segments), *_of_the_keepers())


def _on_the_way(segments: int) -> tuple[Scene | Shown, ...]:
    """Return what befalls copies while they are made, kept and fetched."""
    engine, wal = f"{HERE}/test_engine.py", f"{HERE}/test_wal.py"
    client = "test_a_killed_program_of_postgresql_loses_doubles_and_alters_nothing"
    return (
        Shown(
            1, "the backup", f"{engine}::test_a_run_that_was_killed_is_taken_up_and_restores_equal"
        ),
        Scene(1, "the postmaster", on_a_database(killed_postmaster, scale=10)),
        Shown(
            2,
            "the archiver",
            f"{wal}::test_killed_at_any_step_the_archiver_loses_doubles_and_alters_nothing",
        ),
        Shown(2, "its client", f"{wal}::{client}"),
        *(
            Scene(
                3,
                kind,
                on_a_database(lambda one, kind=kind: damaged_object(one, kind), backed_up=True),
            )
            for kind in HURTS
        ),
        Scene(4, "in both regions", on_a_database(missing_segments)),
        Scene(
            5, "frozen", on_a_database(lambda one: region_gone(one, "freeze", segments), scale=5)
        ),
        Scene(
            5, "refusing", on_a_database(lambda one: region_gone(one, "kill", segments), scale=5)
        ),
        Scene(6, "log and owed", full_log),
        Scene(6, "restore target", on_a_database(refused_restore_target, scale=4, backed_up=True)),
        Scene(
            6,
            "filled restore target",
            on_a_database(filled_restore_target, scale=4, backed_up=True),
        ),
        Scene(6, "region", full_region),
    )


def _of_the_keepers() -> tuple[Scene | Shown, ...]:
    """Return what befalls keys, clocks, schedulers, retention and bundles."""
    engine, scheduler = f"{HERE}/test_engine.py", f"{HERE}/test_scheduler.py"
    named = "test_a_destination_that_fails_is_named_with_the_reason_and_stops_no_other"
    clock = "test_a_wrong_clock_and_an_expired_certificate_are_told"
    leaked = "test_leaked_keys_delete_everything_and_the_state_before_is_restored"
    killed = "test_a_killed_scheduler_is_followed_by_one_that_ends_its_run"
    retain, bundle = "tests/unit/backup/test_retain.py", f"{HERE}/test_configuration.py"
    sealed = "tests/unit/backup/configuration"
    either = f"{sealed}/test_bundle.py::test_either_key_opens_and_a_third_does_not"
    return (
        Shown(7, "secret", f"{engine}::{named}[wrong secret]"),
        Shown(7, "passphrase", f"{engine}::{named}[wrong passphrase]"),
        Shown(7, "certificate", f"{engine}::{clock}[+900d-certificate has expired]"),
        Shown(
            8,
            "clock",
            f"{engine}::{clock}[+20m-this machine's clock is 20.0 min ahead of the store's]",
        ),
        Shown(9, "a killed leader", f"{scheduler}::{killed}"),
        Scene(9, "two schedulers, one hung", on_a_database(two_schedulers)),
        Scene(9, "timeline", on_a_database(new_timeline)),
        Shown(10, "29 and 31 days", f"{HERE}/test_retention.py"),
        Shown(10, "nothing valid", f"{retain}::test_nothing_goes_before_a_full_set_is_verified"),
        Shown(10, "empty catalog", f"{retain}::test_an_empty_catalog_is_an_empty_plan"),
        Shown(11, "versions", f"{HERE}/test_mirror.py::{leaked}"),
        Shown(12, "altered", f"{bundle}::test_one_altered_byte_is_found_and_another_region_helps"),
        Shown(12, "wrong key", f"{bundle}::test_a_wrong_key_applies_nothing"),
        Shown(12, "key lost", either),
        Shown(
            13, "used, live", f"{HERE}/test_restore.py::test_a_running_or_used_folder_is_refused"
        ),
    )


def a_folder() -> Path:
    """Return a temporary folder for the regions of one run."""
    folder = Path(tempfile.mkdtemp(prefix="abops-faults-"))
    folder.chmod(0o755)
    return folder
