"""Whether what was backed up can be restored: verified, tried, without gaps, kept, with its key."""

from datetime import timedelta
from typing import Final

from abops.observability.catalogue.alert import Alert, Case, Fired, Runbook
from abops.observability.catalogue.backup_place import (
    BOARD,
    CONFIG_AGE,
    DRILL_AGE,
    EU,
    GROUP,
    HOUR,
    KEY_AGE_DAYS,
    LOOK,
    OWED_AGE,
    Age,
)
from abops.observability.catalogue.cases import STEP, around, labelled, steady
from abops.observability.catalogue.commands import shell
from abops.observability.catalogue.histories import since
from abops.observability.catalogue.place import Place
from abops.observability.catalogue.wording import amount, duration

_MISSED: Final = 50 * HOUR
"""What happens daily was missed twice."""


def copy_alerts(where: Place) -> tuple[Alert, ...]:
    """Return the alerts about what lies in the destinations."""
    return (
        _verify_failed(where),
        _drill_too_old(where),
        _wal_gap(where),
        _region_stale(where),
        _retention(where),
        _key_expires(where),
        _config_stale(where),
    )


def _verify_failed(where: Place) -> Alert:
    invalid = "abops_backup_verify_invalid_objects"
    last = "abops_backup_verify_last_success_timestamp_seconds"
    fired = (Fired(EU, "The backups in eu are damaged, or nobody has looked for two days"),)

    def history(found: int, age: timedelta) -> dict[str, str]:
        verified = labelled(last, since(age.total_seconds(), STEP), EU)
        return labelled(invalid, steady(found, 40), EU) | verified

    return Alert(
        name="BackupVerifyFailed",
        group=GROUP,
        severity="critical",
        expr=(
            f"max by (env, dest) ({invalid}) > {{threshold}}"
            f" or time() - max by (env, dest) ({last}) > {_MISSED.total_seconds():g}"
        ),
        threshold=0,
        unit="damaged or missing objects",
        reason="One is enough: every increment above it is lost with it.",
        summary="The backups in {{ $labels.dest }} are damaged, or nobody has looked for two days",
        impact="A restore from this destination may fail, or give back damaged data.",
        labels=where.own_labels("backup", "durability"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "The daily verification found objects that are missing or whose checksum is wrong,"
                " or it has not succeeded for 50 hours."
            ),
            diagnosis=shell(
                "abops backup verify --to DEST --deep     # names set, object and what is wrong",
                "abops backup list --to DEST              # chains marked invalid",
                "abops backup verify                      # the other destinations",
            )
            + "\nMany objects at once: somebody removed or overwrote them, a lifecycle rule of the"
            " bucket, or the wrong passphrase. One object: bit rot.",
            mitigation=(
                "See that another destination is whole, then make a new chain here:\n\n"
                + shell("abops backup run --to DEST --type full", "abops backup verify --to DEST")
                + "\nTake the destination's lifecycle rules and foreign credentials away before"
                " that. Do **not** remove the damaged set: parts of it may be all there is of a"
                " point in time, and do not mirror it anywhere."
            ),
        ),
        cases=(
            Case("one object is damaged", history(1, HOUR), 4 * STEP, fired),
            Case("all is well", history(0, 0.9 * _MISSED), 4 * STEP),
            Case("nobody has looked", history(0, 1.1 * _MISSED), 4 * STEP, fired),
            Case("damage, never verified", labelled(invalid, "1x40", EU), 4 * STEP, fired),
            Case("no data", {}, 4 * STEP),
        ),
    )


def _drill_too_old(where: Place) -> Alert:
    age = Age(
        name="BackupRestoreDrillTooOld",
        metric="abops_restore_drill_last_success_timestamp_seconds",
        limit=DRILL_AGE,
        reason=(
            "Nightly, one destination after the other: each of three comes twice within a week."
        ),
        summary="Nobody has restored from {{ $labels.dest }} for {{ $value | humanizeDuration }}",
        impact="Whether a restore from there works is a guess; so are its promised times.",
        runbook=Runbook(
            meaning=(
                "No restore drill from this destination has succeeded for eight days: it failed,"
                " or it was not its turn."
            ),
            diagnosis=shell(
                "abops recovery drill --all                  # all at once, one table",
                "ls -t drills/ | head; cat drills/LATEST.md   # phase and reason",
            )
            + "\n`provision`: no disk for the throw-away server. `fetch`: the destination, or its"
            " passphrase. `replay`: BackupWalGap. `checks`: the data differ; that is the worst.",
            mitigation=(
                "Run one by hand and stay with it:\n\n"
                + shell("abops backup restore --to-dir /var/tmp/drill --from DEST")
                + "\nIt works: the scheduler or the disk was the cause. It does not: this"
                " destination is no backup; make a full one and try again, and tell the owner of"
                " the recovery plan. Never restore into the live directory to try."
            ),
        ),
    )
    return age.alert(where)


def _wal_gap(where: Place) -> Alert:
    metric = "abops_backup_wal_gap_segments"

    def fired(count: float) -> tuple[Fired, ...]:
        return (Fired(EU, f"{amount(count)} log segments are missing in eu"),)

    return Alert(
        name="BackupWalGap",
        group=GROUP,
        severity="critical",
        expr=f"max by (env, dest) ({metric}) > {{threshold}}",
        threshold=0,
        unit="segments",
        reason="Log is replayed in order: behind the first gap nothing can be restored.",
        summary="{{ $value | humanize }} log segments are missing in {{ $labels.dest }}",
        impact="Points in time after the gap cannot be restored from here until the next backup.",
        labels=where.own_labels("backup", "durability"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "Between the oldest kept backup and now, segments of the write-ahead log are"
                " neither in the destination nor on their way to it."
            ),
            diagnosis=shell(
                "abops backup verify --to DEST     # names the first and last missing segment",
                "abops backup wal status           # what is owed to whom",
            )
            + "\nDo the other destinations have them? Then a restore can take them from there.",
            mitigation=(
                "Close it with a new starting point, at once:\n\n"
                + shell(
                    "abops backup wal drain --to DEST          # if anything is owed",
                    "abops backup run --to DEST --type full    # behind the gap all is well again",
                )
                + "\nDo **not** set `archive_mode` off or `wal_level` down, do not run"
                " `pg_resetwal`, and do not touch `pg_wal`: the segments may still be there."
            ),
        ),
        cases=(
            Case("one is missing", labelled(metric, "1x40", EU), 4 * STEP, fired(1)),
            Case("none is missing", labelled(metric, "0x40", EU), 4 * STEP),
            Case("no data", {}, 4 * STEP),
        ),
    )


def _region_stale(where: Place) -> Alert:
    limit, owed, lag = (
        round(OWED_AGE.total_seconds()),
        "abops_backup_wal_oldest_owed_seconds",
        "abops_backup_mirror_lag_seconds",
    )
    long = _MISSED.total_seconds()

    def fired(seconds: float) -> Fired:
        return Fired(EU, f"eu is behind by {duration(seconds)}")

    def mirrored(seconds: float) -> dict[str, str]:
        return labelled(lag, steady(seconds), EU)

    return Alert(
        name="BackupRegionStale",
        group=GROUP,
        severity="critical",
        expr=(
            f"max by (env, dest) ({owed}) > {{threshold}} or max by (env, dest) ({lag}) > {long:g}"
        ),
        threshold=limit,
        unit="s",
        reason="Three times the promised loss of five minutes; a mirror follows once a day.",
        summary="{{ $labels.dest }} is behind by {{ $value | humanizeDuration }}",
        impact="If the machine is lost now, a restore from there lacks what it did since.",
        labels=where.own_labels("backup", "durability"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "The oldest segment of log that this destination has not got is 15 minutes old, or"
                " a mirror has not been brought up to date for 50 hours."
            ),
            diagnosis=shell(
                "abops backup wal status            # owed by destination, breaker, last error",
                "abops backup doctor",
                "df -h                              # the queue grows while it is down",
            )
            + "\nAll destinations at once: the archiver (`abops backup wal serve`) or this"
            " machine's network. One: its provider, credentials, certificate or clock.",
            mitigation=(
                "The others still get everything: nothing is lost as long as one does. When it is"
                " back the queue drains by itself; to hurry it:\n\n"
                + shell("abops backup wal drain --to DEST", "abops backup mirror --to DEST")
                + "\nDown for long: raise `queue_max`, and give it up until it is back, so that"
                " neither restores nor the log wait for it; it is taken back once it has caught"
                " up:\n\n"
                + shell(
                    "abops backup failover --primary OTHER --away DEST --yes",
                    "abops backup failback DEST",
                )
                + "\nDo **not** empty the queue's folder: each file is the only copy on its way."
            ),
        ),
        cases=(
            *around(limit, lambda v: labelled(owed, steady(v), EU), fired),
            Case("a mirror that is late", mirrored(1.1 * long), 4 * STEP, (fired(1.1 * long),)),
            Case("a mirror that is not", mirrored(0.9 * long), 4 * STEP),
        ),
    )


def _retention(where: Place) -> Alert:
    metric = "abops_backup_retention_violations"
    return Alert(
        name="BackupRetentionViolated",
        group=GROUP,
        severity="warning",
        expr=f"max by (env, dest) ({metric}) > {{threshold}}",
        threshold=0,
        unit="sets",
        reason="What is kept is a promise: too little cannot be made good, too much costs.",
        summary="{{ $labels.dest }} does not keep what the policy says",
        impact="A point in time that was promised cannot be restored, or old data stay too long.",
        labels=where.own_labels("backup", "durability"),
        board=BOARD,
        runbook=Runbook(
            meaning="Sets that the policy keeps are gone, or sets that it expires are still there.",
            diagnosis=shell(
                "abops backup retain --dry-run --to DEST     # kept and expired, each with why",
                "abops backup list --to DEST",
            )
            + "\nSets that are gone: a lifecycle rule of the bucket, or somebody's hand. Too many:"
            " verification fails, and nothing is expired before it succeeds.",
            mitigation=(
                "Gone: make a full backup now, take the rule or the credentials away, and tell the"
                " owner which days are lost. Too many: mend the verification, then `abops backup"
                " retain --to DEST`. Do not remove objects in the bucket by hand."
            ),
        ),
        cases=(
            Case(
                "one set is gone",
                labelled(metric, "1x40", EU),
                4 * STEP,
                (Fired(EU, "eu does not keep what the policy says"),),
            ),
            Case("as promised", labelled(metric, "0x40", EU), 4 * STEP),
            Case("no data", {}, 4 * STEP),
        ),
    )


def _key_expires(where: Place) -> Alert:
    metric, limit = "abops_backup_key_age_days", KEY_AGE_DAYS

    def history(age: float, newer: float | None = None) -> dict[str, str]:
        old = labelled(metric, steady(age), EU | {"generation": "g1"})
        if newer is None:
            return old
        return old | labelled(metric, steady(newer), EU | {"generation": "g2"})

    return Alert(
        name="BackupKeyExpires",
        group=GROUP,
        severity="warning",
        expr=f"min by (env, dest) ({metric}) > {{threshold}}",
        threshold=limit,
        unit="days",
        reason="Keys live a year; a rotation runs for days, so a month is left for it.",
        summary="The key of {{ $labels.dest }} is {{ $value | humanize }} days old",
        impact="None yet; after a year the policy is broken.",
        labels=where.own_labels("backup", "security"),
        board=BOARD,
        runbook=Runbook(
            meaning="The newest passphrase of a destination is older than eleven months.",
            diagnosis=shell("abops backup list --to DEST     # generations with their age"),
            mitigation=(
                "In working hours, with the offline recovery key at hand:\n\n"
                + shell("abops backup rotate-key DEST")
                + "\nIt makes a new generation beside the old one, backs up, verifies and restores"
                " before the old one leaves the path of the log. Do not change the passphrase in"
                " the configuration by hand, and do not destroy the old one: old sets need it."
            ),
        ),
        cases=(
            *around(
                limit,
                history,
                lambda v: Fired(EU, f"The key of eu is {amount(v)} days old"),
            ),
            Case("the old generation is kept", history(360, 10), 4 * STEP),
        ),
    )


def _config_stale(where: Place) -> Alert:
    metric, limit = "abops_backup_config_last_success_timestamp_seconds", CONFIG_AGE
    return Alert(
        name="BackupConfigStale",
        group=GROUP,
        severity="warning",
        expr=f"time() - max by (env, dest) ({metric}) > {{threshold}}",
        threshold=limit.total_seconds(),
        unit="s (26 h) ago",
        reason="It is saved every hour; a day without it is no passing fault.",
        summary=(
            "Configuration and secrets in {{ $labels.dest }} are"
            " {{ $value | humanizeDuration }} old"
        ),
        impact="A cluster that is rebuilt gets yesterday's settings and secrets.",
        labels=where.own_labels("backup", "durability"),
        board=BOARD,
        runbook=Runbook(
            meaning="The bundle of settings, secrets and manifests was not saved for 26 hours.",
            diagnosis=LOOK + "\n" + shell("abops backup config list", "abops backup config diff"),
            mitigation=(
                "Save it now and see its error, if there is one:\n\n"
                + shell("abops backup config save")
                + "\n`forbidden`: the service account may not read secrets of a namespace. Do not"
                " save secrets anywhere in plain text instead."
            ),
        ),
        cases=around(
            limit.total_seconds(),
            lambda v: labelled(metric, since(v, STEP), EU),
            lambda v: Fired(EU, f"Configuration and secrets in eu are {duration(v)} old"),
        ),
    )
