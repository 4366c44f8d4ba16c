"""Alerts about backups: whether they are made, whole, restorable, complete and kept.

The names of the series are those that the backup service publishes.
"""

from datetime import timedelta
from typing import Final

from abops.inventory.model import Inventory
from abops.observability.catalogue.alert import Alert, Case, Fired, Runbook
from abops.observability.catalogue.backup_copies import copy_alerts
from abops.observability.catalogue.backup_place import (
    BACKUP_AGE,
    BOARD,
    DAY,
    EU,
    FULL_AGE,
    GROUP,
    HOUR,
    LOOK,
    Age,
)
from abops.observability.catalogue.cases import STEP, Timing, around, labelled, rising, steady
from abops.observability.catalogue.commands import shell
from abops.observability.catalogue.histories import once, since, stepped
from abops.observability.catalogue.place import Place, of_kind
from abops.observability.catalogue.wording import percent

_LAST: Final = "abops_backup_last_success_timestamp_seconds"
_RUNS: Final = "abops_backup_runs_total"
_SIZE: Final = "abops_backup_size_bytes"
_SEVEN_HOURS: Final = 7 * HOUR
"""Between two samples of a month: no range of days is a whole number of them."""


def backup_alerts(inventory: Inventory) -> tuple[Alert, ...]:
    """Return the alerts about backups; none without a database."""
    where = of_kind(inventory.stores, "postgres")
    if where is None:
        return ()
    return (
        _too_old(where),
        _full_too_old(where),
        _failed(where),
        _size_anomaly(where),
        _success(where),
        *copy_alerts(where),
    )


def _both(incr: timedelta, full: timedelta) -> dict[str, str]:
    """Return when the last backups of both types were made, at every moment."""
    found = labelled(_LAST, since(full.total_seconds(), STEP), EU | {"type": "full"})
    return found | labelled(_LAST, since(incr.total_seconds(), STEP), EU | {"type": "incr"})


_RUN: Final = Runbook(
    meaning=(
        "The newest backup in this destination is too old: none of any type for 26 hours, or no"
        " full one for eight days. Other destinations may be well."
    ),
    diagnosis=LOOK
    + "\nA destination that cannot be reached: BackupRegionStale fires too. Runs that fail:"
    " BackupFailed. Neither: the scheduler does not run (no leader, or the CronJob is suspended,"
    " see KubeCronJobLate).",
    mitigation=(
        "Make one now, and watch it to its end (minutes, not hours):\n\n"
        + shell("abops backup run --to DEST --type full", "abops backup verify --to DEST")
        + "\nThe destination is down: the others suffice for a restore; see that they are fresh,"
        " and wait. Do **not** expire anything to make room while this fires, and do not"
        " re-initialise the destination: the old sets in it are still good."
    ),
)


def _too_old(where: Place) -> Alert:
    age = Age(
        name="BackupTooOld",
        instance="incr",
        metric=_LAST,
        limit=BACKUP_AGE,
        reason="Daily, with two hours for a slow night; a full one counts as well.",
        summary=(
            "The last backup in {{ $labels.dest }} was made {{ $value | humanizeDuration }} ago"
        ),
        impact=(
            "A restore from there replays a day of log or more; if its log is broken, that day is"
            " lost."
        ),
        runbook=_RUN,
    )
    fresh_full = _both(incr=5 * DAY, full=HOUR)
    return age.alert(where, Case("a fresh full one is enough", fresh_full, 4 * STEP))


def _full_too_old(where: Place) -> Alert:
    age = Age(
        name="BackupTooOld",
        instance="full",
        metric=_LAST,
        which='{type="full"}',
        limit=FULL_AGE,
        reason="Weekly, with a day to repeat it. Every increment needs the full one below it.",
        summary=(
            "The last full backup in {{ $labels.dest }} was made"
            " {{ $value | humanizeDuration }} ago"
        ),
        impact=(
            "All increments hang on one old set: if it is damaged, none of them can be restored."
        ),
        runbook=_RUN,
    )
    old_full = _both(incr=HOUR, full=9 * DAY)
    fired = Fired(EU, "The last full backup in eu was made 9d 0h 0m 0s ago")
    return age.alert(where, Case("increments are no full one", old_full, 4 * STEP, (fired,)))


def _failed(where: Place) -> Alert:
    labels = {**EU, "type": "incr"}
    cases = once(
        _RUNS,
        {**labels, "outcome": "failed"},
        6 * HOUR,
        timedelta(minutes=7),
        Fired(labels, "An incr backup to eu failed"),
    )
    success = labelled(_RUNS, stepped([(21, 1)], 0), {**labels, "outcome": "success"})
    return Alert(
        name="BackupFailed",
        group=GROUP,
        severity="warning",
        expr=(
            f'sum by (env, dest, type) (increase({_RUNS}{{outcome="failed"}}[6h])) > {{threshold}}'
        ),
        threshold=0,
        unit="runs in 6 hours",
        reason="A run counts as failed after three attempts, or when it never began.",
        summary="An {{ $labels.type }} backup to {{ $labels.dest }} failed",
        impact="None yet: the one before it is there. BackupTooOld pages if none follows.",
        labels=where.own_labels("backup", "durability"),
        board=BOARD,
        step=timedelta(minutes=7),
        runbook=Runbook(
            meaning="A planned run failed three times or was missed within the last six hours.",
            diagnosis=LOOK
            + "\n`abops backup list` shows the error of the run. `[082]`: log segments are owed"
            " there, see BackupRegionStale. `AccessDenied`, `RequestTimeTooSkewed`: credentials,"
            " or the clock (HostClockSkew). `No space left`: the destination or the spool.",
            mitigation=(
                "Mend what the error names, then:\n\n"
                + shell("abops backup run --to DEST --type auto", "abops backup verify --to DEST")
                + "\nA run that was killed leaves a part behind that the next one goes on from: do"
                " not remove it by hand."
            ),
        ),
        cases=(*cases, Case("another outcome", success, 40 * timedelta(minutes=7))),
    )


def _size_anomaly(where: Place) -> Alert:
    limit, step = 0.5, _SEVEN_HOURS
    size = f'{_SIZE}{{type="full"}}'
    return Alert(
        name="BackupSizeAnomaly",
        group=GROUP,
        severity="warning",
        expr=(
            f"max by (env, dest) ({size}) /"
            f" (max by (env, dest) (quantile_over_time(0.5, {size}[30d])) > 0) < {{threshold}}"
        ),
        threshold=limit,
        unit="of the median of 30 days",
        reason="Data do not halve in a week; a backup that leaves out a tablespace does.",
        summary=(
            "The full backup in {{ $labels.dest }} has {{ $value | humanizePercentage }} of its"
            " usual size"
        ),
        impact="Maybe data are missing from it: a restore would succeed and lack them.",
        labels=where.own_labels("backup", "durability"),
        board=BOARD,
        step=step,
        runbook=Runbook(
            meaning="The newest full backup is less than half as large as those of the last month.",
            diagnosis=(
                shell(
                    "abops backup list --to DEST",
                    "abops backup verify --to DEST --deep",
                    "psql -h HOST -c '\\l+'                # how large the data are now",
                )
                + "\nDid somebody remove data (a clean-up, a dropped table)? Then it is right."
                " The same size in all destinations: the data. One destination: that backup. A new"
                " compression setting changes all at once."
            ),
            mitigation=(
                "Not explained? Prove it by a restore, and make another one:\n\n"
                + shell("abops recovery drill --all", "abops backup run --to DEST --type full")
                + "\nKeep the older full one meanwhile (`abops backup keep LABEL`), so that"
                " retention does not take it."
            ),
        ),
        cases=_size_cases(step),
    )


def _size_cases(step: timedelta) -> tuple[Case, ...]:
    """Return histories of which 103 samples are a month; the last one is the one judged."""

    def history(values: str, kind: str = "full") -> dict[str, str]:
        return labelled(_SIZE, values, {**EU, "type": kind})

    def fired(share: float) -> tuple[Fired, ...]:
        return (Fired(EU, f"The full backup in eu has {percent(share)} of its usual size"),)

    lately = "200x99 200x59 90x42"
    long_ago = "300x102 200x45 100x55 60"
    return (
        Case("less than half", history("100x120 45x5"), 121 * step, fired(0.45)),
        Case("more than half", history("100x120 55x5"), 121 * step),
        Case("small for two weeks", history(lately), 202 * step, fired(0.45)),
        Case("it was larger long ago", history(long_ago), 205 * step),
        Case("an increment may be small", history("100x120 5x5", "incr"), 121 * step),
        Case("an empty database", history("0x120"), 110 * step),
        Case("no data", {}, 110 * step),
    )


def _success(where: Place) -> Alert:
    limit, step = 0.001, _SEVEN_HOURS
    good, bad = ({**EU, "type": "incr", "outcome": one} for one in ("success", "failed"))
    failed_once = labelled(_RUNS, rising(10), good) | labelled(
        _RUNS, stepped([(100, 5)], 0, 200), bad
    )

    def history(share: float) -> dict[str, str]:
        made = labelled(_RUNS, rising(1e4 * (1 - share)), good)
        return made | labelled(_RUNS, rising(1e4 * share), bad)

    fired = Fired(
        {"env": "local"}, "More than one backup run in a thousand of the last 30 days failed"
    )

    return Alert(
        name="BackupSuccess30d",
        group=GROUP,
        severity="warning",
        expr=(
            f'sum by (env) (increase({_RUNS}{{outcome="failed"}}[30d]))'
            f" / (sum by (env) (increase({_RUNS}[30d])) > 0) > {{threshold}}"
        ),
        threshold=limit,
        unit="of the runs of 30 days",
        reason="99.9 % of the runs succeed: that is the promise.",
        summary="More than one backup run in a thousand of the last 30 days failed",
        impact="The promise about backups is broken; single restores may still be fine.",
        labels=where.own_labels("backup", "durability"),
        board=BOARD,
        step=step,
        runbook=Runbook(
            meaning="More than one run in a thousand of the last 30 days failed or was missed.",
            diagnosis=shell("abops backup status              # the last run of each destination")
            + "\nOne destination, one type, or one night? The board backups shows runs by outcome.",
            mitigation=(
                "Nothing to repair tonight: it goes away as the failures grow old. Mend the cause"
                " that most runs share, and see the objective backup-success"
                " (`abops observability slo explain backup-success`). Do not count runs by hand as"
                " good to be rid of it."
            ),
        ),
        cases=(
            # After two months of the same: a sum over another time would show.
            *around(
                limit,
                history,
                lambda _share: fired,
                timing=Timing(warm=210 * step, step=step),
            ),
            Case("failed 19 days ago", failed_once, 165 * step, (fired,)),
            Case("failed 38 days ago", failed_once, 230 * step),
            Case("no run at all", labelled(_RUNS, steady(0), bad), 210 * step),
        ),
    )
