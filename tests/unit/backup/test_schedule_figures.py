import msgspec
import pytest

from abops.backup.model import Timetable
from abops.backup.retain import Promise
from abops.backup.service.scheduling.figures import (
    FAMILIES,
    Keyed,
    Known,
    figures,
    runs_by_outcome,
)
from abops.backup.service.scheduling.known import gap_found
from abops.backup.service.scheduling.public_names import PUBLIC
from abops.backup.store.records import (
    Bundle,
    Check,
    Drill,
    Finding,
    MirrorRun,
    Run,
    RunState,
    Verdict,
)
from support.backup_values import EU
from support.sets import a_set

POLICY = Timetable()
NOW = 1_764_072_000.0
DAY = 86_400.0
VAULT = msgspec.structs.replace(EU, name="vault", role="mirror", of="eu")


def a_run(state: RunState, *, attempt: int = 1, at: float = 0.0, holder: str = "one") -> Run:
    return Run(
        id=f"eu-incr-{at}",
        destination="eu",
        kind="incr",
        planned=at,
        state=state,
        attempt=attempt,
        started=at,
        ended=at,
        holder=holder,
    )


def a_check(at: float, *gaps: str, outcome: str = "success") -> Check:
    findings = tuple(
        Finding(severity="critical", code="gap", message="m", subject=one) for one in gaps
    )
    return Check(
        id=f"check-{at}",
        destination="eu",
        kind="verify",
        started=at,
        ended=at,
        outcome="success" if outcome == "success" else "failed",
        gap_segments=len(gaps),
        findings=findings,
    )


def values(known: Known, name: str) -> dict[tuple[str, ...], float]:
    found = {family.name: samples for family, samples in figures(known)}
    return {one.labels: one.value for one in found[name]}


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([a_run("success")], {"success": 1}),
        ([a_run("failed")], {}),
        ([a_run("failed", attempt=4)], {"failed": 1}),
        ([a_run("interrupted", attempt=4)], {"failed": 1}),
        ([a_run("missed")], {"failed": 1}),
        ([a_run("running")], {}),
        ([a_run("failed", holder="")], {"failed": 1}),
        ([a_run("failed"), a_run("success", at=DAY)], {"failed": 1, "success": 1}),
        ([a_run("success"), a_run("failed", at=DAY)], {"success": 1}),
    ],
    ids=[
        "made",
        "will be tried again",
        "given up",
        "cut off for good",
        "nobody began it",
        "under way",
        "by hand",
        "replaced by a later one",
        "the later one will be tried again",
    ],
)
def test_a_run_counts_once_it_has_ended_for_good(runs: list[Run], expected: dict[str, int]) -> None:
    counted = runs_by_outcome(runs, POLICY)
    assert {("eu", "incr", outcome): count for outcome, count in expected.items()} == counted


def test_every_counter_is_there_from_the_start() -> None:
    runs = values(Known(now=NOW, places=(EU, VAULT)), "abops_backup_runs")
    expected = {
        ("eu", kind, outcome): 0.0 for kind in ("full", "incr") for outcome in ("success", "failed")
    }
    assert expected == runs


def test_a_hole_is_dated_by_when_it_was_first_seen() -> None:
    old, new = a_check(1 * DAY, "A"), a_check(3 * DAY, "A", "B")
    assert None is gap_found([])
    assert 3 * DAY == gap_found([new, a_check(2 * DAY, "A"), old])
    assert 1 * DAY == gap_found([a_check(4 * DAY, "A"), new, a_check(2 * DAY), old])
    assert None is gap_found([a_check(4 * DAY), new])


def test_a_check_that_could_not_look_says_nothing_of_holes() -> None:
    away = Check(
        id="x",
        destination="eu",
        kind="verify",
        started=5 * DAY,
        ended=5 * DAY,
        outcome="failed",
        findings=(Finding(severity="critical", code="unreachable", message="m"),),
    )
    assert 3 * DAY == gap_found([away, a_check(3 * DAY, "A")])


def test_ages_and_sizes_are_those_of_the_newest_of_each_type() -> None:
    old = a_set("20251123-010000F", repo_size=70, size=100, stopped=NOW - 2 * DAY)
    new = a_set("20251124-010000F", repo_size=80, size=110, stopped=NOW - DAY)
    known = Known(now=NOW, places=(EU,), sets=(new, old))
    last = values(known, "abops_backup_last_success_timestamp_seconds")
    assert {("eu", "full"): NOW - DAY} == last
    assert {("eu", "full"): 110} == values(known, "abops_backup_size_bytes")
    assert {("eu",): 150} == values(known, "abops_backup_repo_bytes")


def test_a_moment_that_never_came_is_left_out() -> None:
    known = Known(now=NOW, places=(EU, VAULT))
    told = {family.name for family, samples in figures(known) if samples}
    assert {
        "abops_backup_repo_bytes",
        "abops_backup_runs",
        "abops_restore_drill_runs",
        "abops_backup_mirror_lag_seconds",
    } == told
    assert len(FAMILIES) == len({family.name for family in FAMILIES})


def test_the_last_good_drill_counts_and_the_failed_one_is_counted() -> None:
    def a_drill(at: float, outcome: str) -> Drill:
        return Drill(
            id=f"d{at}",
            destination="eu",
            generation="g1",
            label="l",
            kind="latest",
            started=at,
            ended=at,
            outcome="success" if outcome == "success" else "failed",
            rpo_s=at / 10,
            phases={"fetch": at},
        )

    known = Known(now=NOW, places=(EU,), drills=(a_drill(30, "failed"), a_drill(20, "success")))
    name = "abops_restore_drill"
    assert {("eu",): 20} == values(known, f"{name}_last_success_timestamp_seconds")
    assert {("eu",): 2} == values(known, f"{name}_rpo_seconds")
    assert {("eu", "fetch"): 20} == values(known, f"{name}_rto_seconds")
    assert {("eu", "success"): 1, ("eu", "failed"): 1} == values(known, f"{name}_runs")


def test_a_mirror_lags_since_the_first_verification_that_it_has_not_copied() -> None:
    def a_verdict(label: str, at: float) -> Verdict:
        return Verdict(
            destination="eu", generation="g1", label=label, valid=True, at=at, check_id="c"
        )

    copied = MirrorRun(
        id="m", destination="vault", source="eu", started=100.0, ended=110.0, outcome="success"
    )
    verdicts = (a_verdict("a", 90.0), a_verdict("b", 200.0), a_verdict("c", 300.0))
    known = Known(now=500.0, places=(EU, VAULT), verdicts=verdicts, mirrors=(copied,))
    assert {("vault",): 300.0} == values(known, "abops_backup_mirror_lag_seconds")
    up_to_date = Known(now=500.0, places=(EU, VAULT), verdicts=verdicts[:1], mirrors=(copied,))
    assert {("vault",): 0.0} == values(up_to_date, "abops_backup_mirror_lag_seconds")


def test_how_far_back_one_can_go_is_what_retention_says() -> None:
    promises = {"eu": Promise(NOW - DAY, ("a",), ("b", "c")), "us": Promise(None)}
    known = Known(now=NOW, places=(EU,), promises=promises)
    oldest = values(known, "abops_backup_oldest_recoverable_timestamp_seconds")
    assert {("eu",): NOW - DAY} == oldest
    violations = values(known, "abops_backup_retention_violations")
    assert {("eu",): 3.0, ("us",): 0.0} == violations


def test_bundles_and_keys_have_their_own_age() -> None:
    bundles = (
        Bundle(destination="eu", name="a", made=10.0, size=1, sha256="x"),
        Bundle(destination="eu", name="b", made=20.0, size=1, sha256="x"),
        Bundle(destination="eu", name="c", made=30.0, size=1, sha256="x", state="failed"),
    )
    keys = (Keyed("eu", "g1", NOW - 3 * DAY),)
    known = Known(now=NOW, places=(EU,), bundles=bundles, keys=keys)
    saved = values(known, "abops_backup_config_last_success_timestamp_seconds")
    assert {("eu",): 20.0} == saved
    assert {("eu", "g1"): 3.0} == values(known, "abops_backup_key_age_days")


def test_the_names_of_the_public_exporter_say_the_same() -> None:
    us = msgspec.structs.replace(EU, name="us")
    sets = (
        a_set("20251123-010000F", stopped=NOW - 2 * DAY, error=True),
        a_set("20251124-010000F", stopped=NOW - DAY),
    )
    known = Known(now=NOW, places=(EU, us, VAULT), sets=sets, stanza="main", pg_version="15")
    found = {
        family.name: {one.labels: one.value for one in samples}
        for family, samples in figures(known, PUBLIC)
    }
    error = ("full", "y", "1", "1", "main")
    assert {
        "pgbackrest_backup_since_last_completion_seconds": {("full", "y", "main"): DAY},
        "pgbackrest_repo_status": {
            ("aes-256-cbc", "1", "main"): 0,
            ("aes-256-cbc", "2", "main"): 2,
        },
        "pgbackrest_backup_error_status": {
            ("20251123-010000F", *error): 1,
            ("20251124-010000F", *error): 0,
        },
        "pgbackrest_wal_archive_status": {
            ("1", "15", "1", "main", "", ""): 1,
            ("1", "15", "2", "main", "", ""): 0,
        },
    } == found
