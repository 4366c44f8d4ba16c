"""PostgreSQL's replicas, and the slots that keep log for them."""

from datetime import timedelta
from typing import Final

from abops.observability.catalogue.alert import Alert, Case, Fired, Runbook, Severity
from abops.observability.catalogue.cases import Timing, around, steady
from abops.observability.catalogue.place import Place
from abops.observability.catalogue.wording import duration, percent

GROUP, BOARD = "postgres", "postgres"
MINUTE = timedelta(minutes=1)

_REPLICAS = """\
On the primary:

```sql
SELECT application_name, client_addr, state, sync_state, sent_lsn, replay_lsn, replay_lag,
       pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)) AS behind
  FROM pg_stat_replication;
SELECT slot_name, active, wal_status, pg_size_pretty(safe_wal_size) AS room,
       pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)) AS kept
  FROM pg_replication_slots;
```
"""


def replication_alerts(where: Place) -> tuple[Alert, ...]:
    """Return the alerts about replicas and slots."""
    return (
        _lag(where, "warning", 30, 2 * MINUTE),
        _lag(where, "critical", 300, MINUTE),
        _replica_missing(where),
        _slot_inactive(where),
        _slot_wal_low(where),
    )


def _lag(where: Place, severity: Severity, limit: float, hold: timedelta) -> Alert:
    series = 'abops_pg_replication_lag_seconds{env="local",replica="standby1"}'
    return Alert(
        name="PostgresReplicationLag",
        instance=severity,
        group=GROUP,
        severity=severity,
        expr="max by (env, replica) (abops_pg_replication_lag_seconds) > {threshold}",
        threshold=limit,
        unit="seconds",
        hold=hold,
        reason=(
            "A healthy replica is level within a second. After 30 s people see old data; what a"
            " failover to a replica five minutes late would lose is more than anybody accepted."
        ),
        summary="Replica {{ $labels.replica }} is {{ $value | humanizeDuration }} behind",
        impact="Reads from the replica are old; a failover now loses that much.",
        labels=where.own_labels("replication", "replication"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "The replica has not replayed what the primary wrote that long ago. The time is"
                " measured from log positions, so a replica that stands still counts as well."
            ),
            diagnosis=(
                _REPLICAS + "\n`sent_lsn` behind: network or a full disk on the primary."
                " `replay_lsn` behind `sent_lsn`: the replica itself. There:\n\n```sql\n"
                "SELECT pg_is_wal_replay_paused(), pg_last_xact_replay_timestamp();\n"
                "SELECT pid, now() - xact_start AS open_for, left(query, 80)\n"
                "  FROM pg_stat_activity WHERE state <> 'idle' ORDER BY xact_start;\n```\n"
                "A long query on the replica stops the replay for up to"
                " max_standby_streaming_delay."
            ),
            mitigation=(
                "Replay paused: `SELECT pg_wal_replay_resume();`. A long query on the replica:"
                " `SELECT pg_cancel_backend(PID);` there. Disk or network: mend that, it catches up"
                " by itself. Take the replica out of the read pool until it is level. Do not fail"
                " over to it, and do not rebuild it while it catches up: watch `behind` for a"
                " minute first."
            ),
        ),
        cases=around(
            limit,
            lambda v: {series: steady(v)},
            lambda v: Fired(
                {"env": "local", "replica": "standby1"},
                f"Replica standby1 is {duration(v)} behind",
            ),
            timing=Timing(hold),
        ),
    )


_POSTGRES_REPLICA_MISSING_RUNBOOK: Final = Runbook(
    meaning=(
        "A replica that streamed within the last day is not connected any more. A slot,"
        " if it has one, keeps log for it on the primary until the disk is full."
    ),
    diagnosis=(
        _REPLICAS + "\nThen its own log, on its machine: `could not connect to the primary"
        " server` is network, password or pg_hba.conf; `requested WAL segment ... has"
        " already been removed` means that it must be built again; no process: see why it"
        " ended (`dmesg`, disk full)."
    ),
    mitigation=(
        "Start it; if its log says that segments are gone, build it anew from the primary"
        " into an empty folder:\n\n```\n"
        "pg_basebackup -h PRIMARY -U replicator -D DATA_FOLDER -R -X stream -C -S SLOT\n"
        "```\nWatch the primary's disk meanwhile (PostgresSlotWalLow). Taken away on"
        " purpose: drop its slot, and silence this alert for a day."
    ),
)


def _replica_missing(where: Place) -> Alert:
    series = 'abops_pg_replicas{env="local"}'
    step = timedelta(seconds=130)
    fired = Fired({"env": "local"}, "1 replica fewer than within the last day")

    def after_drop(before: int, after: timedelta, name: str, *, fires: bool) -> Case:
        # Two replicas for `before` steps, then one.
        return Case(
            name,
            {series: f"2x{before} 1x2000"},
            (before + 1) * step + after,
            (fired,) if fires else (),
        )

    return Alert(
        name="PostgresReplicaMissing",
        group=GROUP,
        severity="critical",
        expr=(
            "max by (env) (max_over_time(abops_pg_replicas[1d]))"
            " - max by (env) (max_over_time(abops_pg_replicas[5m])) >= {threshold}"
        ),
        threshold=1,
        unit="replicas",
        reason=(
            "Five minutes without it: longer than a restart of the replica takes. As many as"
            " within the last day are expected; so it ends after a day, or when it is back."
        ),
        summary="{{ $value }} replica fewer than within the last day",
        impact="If the primary dies now, nothing can take over without a restore from backup.",
        labels=where.own_labels("replication", "durability"),
        board=BOARD,
        step=step,
        runbook=_POSTGRES_REPLICA_MISSING_RUNBOOK,
        cases=(
            after_drop(40, timedelta(minutes=7), "a replica is gone", fires=True),
            after_drop(40, timedelta(minutes=3), "not before five minutes", fires=False),
            after_drop(20, timedelta(hours=18), "still gone after 18 hours", fires=True),
            after_drop(20, timedelta(hours=30), "it is a day ago", fires=False),
            Case("all are there", {series: "2x100"}, timedelta(hours=1)),
            Case("one comes", {series: "1x20 2x100"}, timedelta(hours=1)),
            # A fraction of one: no server says so, but it shows where the threshold lies.
            Case("hardly fewer", {series: "2x20 1.1x100"}, timedelta(hours=1)),
            Case(
                "more than one fewer",
                {series: "2.1x20 1x100"},
                timedelta(hours=1),
                (Fired({"env": "local"}, "1.1 replica fewer than within the last day"),),
            ),
            Case("no data", {}, timedelta(hours=1)),
        ),
    )


def _slot_inactive(where: Place) -> Alert:
    hold = 10 * MINUTE
    series = 'abops_pg_slot_active{env="local",slot_name="standby1"}'
    return Alert(
        name="PostgresSlotInactive",
        group=GROUP,
        severity="warning",
        expr="min by (env, slot_name) (abops_pg_slot_active) < {threshold}",
        threshold=0.5,
        unit="(1 is active)",
        hold=hold,
        reason="A replica that restarts is back within minutes.",
        summary="Nobody reads from replication slot {{ $labels.slot_name }}",
        impact="The primary keeps all log since then: its disk fills up.",
        labels=where.own_labels("replication", "replication"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "A replication slot has had no reader for ten minutes. PostgreSQL keeps every"
                " segment that the slot still needs, until max_slot_wal_keep_size or until the"
                " disk is full; then it stops."
            ),
            diagnosis=(
                _REPLICAS + "\nIs the slot's replica still meant to exist? `kept` against the free"
                " space of the disk (`df -h`) says how long you have."
            ),
            mitigation=(
                "The replica is meant to exist: bring it back, see PostgresReplicaMissing. It is"
                " gone for good:\n\n```sql\nSELECT pg_drop_replication_slot('SLOT');\n```\nThe log"
                " is removed at the next checkpoint. A replica whose slot was dropped may have to"
                " be built anew. Never remove files under `pg_wal` by hand."
            ),
        ),
        cases=around(
            0.5,
            lambda v: {series: steady(v)},
            lambda _v: Fired(
                {"env": "local", "slot_name": "standby1"},
                "Nobody reads from replication slot standby1",
            ),
            below=True,
            timing=Timing(hold),
        ),
    )


def _slot_wal_low(where: Place) -> Alert:
    limit, hold = 0.2, MINUTE
    series = 'postgres_slot:wal_room:ratio{env="local",slot_name="standby1"}'
    return Alert(
        name="PostgresSlotWalLow",
        group=GROUP,
        severity="critical",
        expr="postgres_slot:wal_room:ratio < {threshold}",
        threshold=limit,
        unit="ratio",
        hold=hold,
        reason=(
            "Share of max_slot_wal_keep_size that is left. A reader that comes back needs time to"
            " catch up while the primary goes on writing."
        ),
        summary=(
            "Slot {{ $labels.slot_name }} has {{ $value | humanizePercentage }} of its log left"
        ),
        impact="At zero the slot is lost: its replica must be built anew from a base backup.",
        labels=where.own_labels("replication", "durability"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "The slot's reader is so far behind that the log kept for it nears its limit. Then"
                " PostgreSQL drops the log to save the disk, and `wal_status` becomes `lost`."
            ),
            diagnosis=(
                _REPLICAS + "\n`active = false`: the replica is gone, see PostgresReplicaMissing."
                " Active: it is too slow, see PostgresReplicationLag. `wal_status = 'lost'`: it is"
                " too late for this slot."
            ),
            mitigation=(
                "Win time first, if the disk has room (`df -h`); no restart is needed:\n\n```sql\n"
                "ALTER SYSTEM SET max_slot_wal_keep_size = '64GB';\nSELECT pg_reload_conf();\n"
                "```\nThen mend the reader. Lost already: `SELECT pg_drop_replication_slot("
                "'SLOT');` and build the replica anew. Do not set the limit to -1 for good: a full"
                " disk stops the primary too."
            ),
        ),
        cases=around(
            limit,
            lambda v: {series: steady(v)},
            lambda v: Fired(
                {"env": "local", "slot_name": "standby1"},
                f"Slot standby1 has {percent(v)} of its log left",
            ),
            below=True,
            timing=Timing(hold),
        ),
    )
