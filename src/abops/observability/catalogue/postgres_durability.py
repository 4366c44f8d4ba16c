"""Whether PostgreSQL keeps what it was given: restarts, archive, checksums."""

from datetime import timedelta
from typing import Final

from abops.observability.catalogue.alert import Alert, Case, Fired, Runbook
from abops.observability.catalogue.cases import Timing, around, rising
from abops.observability.catalogue.place import Place

GROUP, BOARD = "postgres", "postgres"
SERVED = {"env": "local", "service": "postgres"}
MINUTE = timedelta(minutes=1)


def durability_alerts(where: Place) -> tuple[Alert, ...]:
    """Return the alerts about restarts, the archive and damaged pages."""
    return (_restarted(where), _archive_failing(where), _checksum(where))


def _restarted(where: Place) -> Alert:
    series = 'abops_pg_start_time_seconds{env="local"}'
    step = timedelta(seconds=14)
    summary = "PostgreSQL has started anew within the last 10 minutes"
    return Alert(
        name="PostgresRestarted",
        group=GROUP,
        severity="warning",
        expr="max by (env) (changes(abops_pg_start_time_seconds[10m])) > {threshold}",
        threshold=0,
        unit="starts",
        reason="A start that nobody announced is looked at, even if all is well again.",
        summary=summary,
        impact="All sessions were cut: requests failed for a moment, tasks were tried again.",
        labels=where.own_labels("server", "availability"),
        board=BOARD,
        step=step,
        runbook=Runbook(
            meaning=(
                "PostgreSQL's start time changed: it was restarted, or it ended by a crash and"
                " recovered. Planned work, a deploy of the database or a failover, shows as well."
            ),
            diagnosis=(
                "Why it ended stands just before `database system was shut down` or `database"
                " system was interrupted`:\n\n```\nabops stack logs postgres -n 200\n"
                "dmesg -T | grep -iE 'oom|killed process'\n```\n`server process was terminated by"
                " signal 9`: the kernel's OOM killer. `signal 11`: a bug, often in an extension."
                " `No space left on device`: the disk."
            ),
            mitigation=(
                "Planned: nothing to do. OOM: lower work_mem or the number of sessions before it"
                " happens again (peak = sessions x work_mem x sorts); do not raise shared_buffers."
                " A crash without a known reason: keep the log and the core file, make a backup"
                " now (`abops backup run`), and check indexes with `pg_amcheck`."
            ),
        ),
        cases=(
            Case(
                "restarted eight minutes ago",
                {series: "1000x40 2000x40"},
                41 * step + 8 * MINUTE,
                (Fired({"env": "local"}, summary),),
            ),
            Case("restarted long ago", {series: "1000x40 2000x90"}, 41 * step + 14 * MINUTE),
            Case("it runs", {series: "1000x90"}, 15 * MINUTE),
            Case("the first start is no restart", {series: "_x40 1000x40"}, 15 * MINUTE),
            Case("no data", {}, 15 * MINUTE),
        ),
    )


_POSTGRES_WAL_ARCHIVE_FAILING_RUNBOOK: Final = Runbook(
    meaning=(
        "archive_command fails. PostgreSQL keeps every segment until it is archived: what"
        " is written now cannot be restored elsewhere, and `pg_wal` grows."
    ),
    diagnosis=(
        "```sql\nSELECT last_archived_wal, last_archived_time, last_failed_wal,\n"
        "       last_failed_time FROM pg_stat_archiver;\n"
        "SELECT count(*), pg_size_pretty(sum(size)) FROM pg_ls_waldir();\n```\n"
        "What the command said stands in the server's log:\n\n```\n"
        "abops stack logs postgres -n 200 | grep -A 3 'archive command failed'\n"
        "pgbackrest --stanza=analyticbot check\n```\nExpired keys, a full repository, a"
        " stanza of another system id, no network."
    ),
    mitigation=(
        "Mend what the command complains of; PostgreSQL tries again within a minute, no"
        " restart is needed. Short of disk: make room elsewhere on the volume. Never"
        " remove files under `pg_wal`, and never set archive_command to `/bin/true`: both"
        " tear a hole into the archive. When it works again, take a full backup:"
        " `abops backup run`."
    ),
)


def _archive_failing(where: Place) -> Alert:
    labels = '{env="local",service="postgres"}'
    failed = f"pg_stat_archiver_failed_count{labels}"
    age = f"pg_stat_archiver_last_archive_age{labels}"
    step = timedelta(seconds=14)
    summary = "PostgreSQL's log is not archived on postgres"
    fired = Fired(SERVED, summary)
    old, young = "660x200", "540x200"
    return Alert(
        name="PostgresWalArchiveFailing",
        group=GROUP,
        severity="critical",
        expr=(
            "sum by (env, service) (increase(pg_stat_archiver_failed_count[10m])) > 0"
            " unless max by (env, service) (pg_stat_archiver_last_archive_age) <= {threshold}"
        ),
        threshold=600,
        unit="seconds",
        reason=(
            "Attempts fail, and the last success is older than ten minutes, or there never was"
            " one: a single failed attempt is repeated by PostgreSQL itself."
        ),
        summary="PostgreSQL's log is not archived on {{ $labels.service }}",
        impact="Point-in-time recovery ends at the last archived segment; the disk fills up.",
        labels=where.labels("archive", "durability"),
        board=BOARD,
        step=step,
        runbook=_POSTGRES_WAL_ARCHIVE_FAILING_RUNBOOK,
        cases=(
            Case("attempts fail", {failed: rising(1), age: old}, 15 * MINUTE, (fired,)),
            Case("it succeeds in between", {failed: rising(1), age: young}, 15 * MINUTE),
            Case("it never succeeded", {failed: rising(1)}, 15 * MINUTE, (fired,)),
            Case("nothing is written", {failed: "3x200", age: old}, 15 * MINUTE),
            Case(
                "failed eight minutes ago",
                {failed: "0x40 1x100", age: old},
                41 * step + 8 * MINUTE,
                (fired,),
            ),
            Case("failed a while ago", {failed: "0x40 1x100", age: old}, 41 * step + 14 * MINUTE),
            Case("no data", {}, 15 * MINUTE),
        ),
    )


def _checksum(where: Place) -> Alert:
    series = 'abops_pg_checksum_failures_total{env="local",datname="analytic_bot"}'
    window, step = timedelta(days=1), 7 * MINUTE
    return Alert(
        name="PostgresChecksum",
        group=GROUP,
        severity="critical",
        expr=(
            "sum by (env, datname) (increase(abops_pg_checksum_failures_total[1d])) >= {threshold}"
        ),
        threshold=1,
        unit="pages in a day",
        reason="A single wrong page means that disk, memory or controller damages data.",
        summary="Damaged pages were read in {{ $labels.datname }}",
        impact="Rows of the damaged pages cannot be read; backups may hold the damage already.",
        labels=where.own_labels("storage", "durability"),
        board=BOARD,
        step=step,
        runbook=Runbook(
            meaning=(
                "PostgreSQL read a page whose checksum does not match what was written. The cause"
                " is below PostgreSQL. More pages than those that were read may be damaged."
            ),
            diagnosis=(
                "Which relation and block, and what the kernel says of the disk:\n\n```\n"
                "abops stack logs postgres -n 500 | grep -E 'invalid page|checksum'\n"
                "dmesg -T | grep -iE 'i/o error|medium error|ext4|xfs|nvme'\nsmartctl -a DEVICE\n"
                "```\nThe path `base/DATABASE/FILENODE` names the table:\n\n```sql\n"
                "SELECT pg_filenode_relation(0, FILENODE);\n```\nAn index can be rebuilt, a table"
                " cannot."
            ),
            mitigation=(
                "1. Stop expiry of backups: an older one is the only good copy.\n"
                "2. A replica is healthy (checksums are its own): fail over to it.\n"
                "3. Only an index is hit: `REINDEX INDEX CONCURRENTLY name;`.\n"
                "4. Otherwise restore to a new machine: `abops backup restore`.\n\n"
                "Never set `ignore_checksum_failure` or `zero_damaged_pages` on the live server:"
                " they make the loss final. Do not put the old disk back."
            ),
        ),
        cases=around(
            1,
            lambda v: {series: rising(v * step / window)},
            lambda _v: Fired(
                {"env": "local", "datname": "analytic_bot"},
                "Damaged pages were read in analytic_bot",
            ),
            timing=Timing(warm=window, step=step),
        ),
    )
