"""How fast PostgreSQL works: cache, files for sorting, checkpoints, statements."""

from datetime import timedelta
from typing import Final

from abops.observability.catalogue.alert import Alert, Case, Fired, Runbook
from abops.observability.catalogue.cases import STEP, Timing, around, rising, steady
from abops.observability.catalogue.place import Place
from abops.observability.catalogue.wording import amount, duration, percent, size

GROUP, BOARD = "postgres", "postgres"
SERVED = {"env": "local", "service": "postgres"}
MINUTE = timedelta(minutes=1)

_TOP = """\
```sql
SELECT queryid, calls, round(mean_exec_time) AS mean_ms, round(total_exec_time) AS total_ms,
       shared_blks_read, temp_blks_written, left(query, 100) AS query
  FROM pg_stat_statements ORDER BY {by} DESC LIMIT 10;
```
"""


def speed_alerts(where: Place) -> tuple[Alert, ...]:
    """Return the alerts about speed."""
    return (_cache(where), _temp_files(where), _checkpoints(where), _regression(where))


def _cache(where: Place) -> Alert:
    limit, floor, hold = 0.95, 100, 15 * MINUTE
    hit = 'postgres:cache_hit:ratio{env="local",service="postgres"}'
    read = 'postgres:blocks_read:rate5m{env="local",service="postgres"}'

    def fired(ratio: float) -> Fired:
        return Fired(SERVED, f"postgres finds only {percent(ratio)} of its pages in memory")

    def history(ratio: float, reads: float = 1000) -> dict[str, str]:
        return {hit: steady(ratio), read: steady(reads)}

    return Alert(
        name="PostgresCacheHitLow",
        group=GROUP,
        severity="warning",
        expr=(
            f"postgres:cache_hit:ratio < {{threshold}} and postgres:blocks_read:rate5m > {floor}"
        ),
        threshold=limit,
        unit="ratio",
        hold=hold,
        reason=(
            "A database that fits its memory stays above 99 %. Under 100 pages a second the ratio"
            " says nothing: a nightly dump or an idle server."
        ),
        summary=(
            "{{ $labels.service }} finds only {{ $value | humanizePercentage }} of its pages in"
            " memory"
        ),
        impact="Queries wait for the disk: requests and tasks get slower, all at once.",
        labels=where.labels("memory", "latency"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "More than a twentieth of the pages that queries need come from outside"
                " shared_buffers (some of them from the kernel's cache)."
            ),
            diagnosis=(
                "Which statements read most, and which tables:\n\n"
                + _TOP.format(by="shared_blks_read")
                + "```sql\nSELECT relname, heap_blks_read, seq_scan, seq_tup_read\n"
                "  FROM pg_statio_user_tables JOIN pg_stat_user_tables USING (relid, relname)\n"
                " ORDER BY heap_blks_read DESC LIMIT 10;\n```\nMany `seq_scan` of a large table: an"
                " index is missing or no longer used. After a restart the cache fills for a while."
            ),
            mitigation=(
                "One statement stands out: cancel it (`SELECT pg_cancel_backend(PID);`), look at"
                " its plan (`EXPLAIN (ANALYZE, BUFFERS)`), run `ANALYZE the_table;`, then build"
                " the index with CREATE INDEX CONCURRENTLY. All are alike: the data outgrew the"
                " memory; plan more of it, with shared_buffers at a quarter. Do not restart: the"
                " cache would be empty."
            ),
        ),
        cases=(
            *around(limit, history, fired, below=True, timing=Timing(hold)),
            Case("just enough reads", history(0.9, 1.1 * floor), hold, (fired(0.9),)),
            Case("hardly any reads", history(0.9, 0.9 * floor), 2 * hold),
            Case("reads unknown", {hit: steady(0.9)}, 2 * hold),
        ),
    )


def _temp_files(where: Place) -> Alert:
    series = 'pg_stat_database_temp_bytes{env="local",service="postgres",datname="analytic_bot"}'
    limit, window = 1024.0**3, 15 * MINUTE
    return Alert(
        name="PostgresTempFiles",
        group=GROUP,
        severity="info",
        expr="sum by (env, service) (increase(pg_stat_database_temp_bytes[15m])) > {threshold}",
        threshold=limit,
        unit="bytes in 15 minutes",
        reason="More than a gibibyte: some statement sorts or hashes far beyond work_mem.",
        summary=(
            "{{ $labels.service }} wrote {{ $value | humanize1024 }}B of temporary files in 15"
            " minutes"
        ),
        impact="These statements take seconds instead of milliseconds, and use the disk's time.",
        labels=where.labels("memory", "latency"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "Sorts, hashes and joins that do not fit work_mem go through files below"
                " `base/pgsql_tmp`."
            ),
            diagnosis=(
                _TOP.format(by="temp_blks_written") + "\nWhat runs now, with the size of its"
                " files:\n\n```sql\nSELECT * FROM pg_ls_tmpdir() ORDER BY size DESC LIMIT 5;\n```\n"
                "The digits after `pgsql_tmp` in a file's name are the backend's pid. To log them"
                " from now on: `ALTER SYSTEM SET log_temp_files = '64MB'; SELECT"
                " pg_reload_conf();`."
            ),
            mitigation=(
                "A report: raise work_mem for its role only (`ALTER ROLE reporting SET work_mem ="
                " '64MB';`). A statement of the workload: an index that gives the order, or a"
                " LIMIT. Do not raise work_mem for everybody: each sort of each session may take"
                " it, and the OOM killer ends the server."
            ),
        ),
        cases=around(
            limit,
            lambda v: {series: rising(v * STEP / window)},
            lambda v: Fired(SERVED, f"postgres wrote {size(v)}B of temporary files in 15 minutes"),
            timing=Timing(warm=window),
        ),
    )


def _checkpoints(where: Place) -> Alert:
    limit, window = 6.0, 30 * MINUTE

    def series(trigger: str) -> str:
        return f'abops_pg_checkpoints_total{{env="local",trigger="{trigger}"}}'

    return Alert(
        name="PostgresCheckpoints",
        group=GROUP,
        severity="warning",
        expr=(
            'sum by (env) (increase(abops_pg_checkpoints_total{trigger="requested"}[30m]))'
            " > {threshold}"
        ),
        threshold=limit,
        unit="checkpoints in 30 minutes",
        reason=(
            "Timed ones come every five minutes. As many again because the log was full means"
            " that max_wal_size is too small for what is written."
        ),
        summary="{{ $value | humanize }} checkpoints in 30 minutes because the log was full",
        impact="Each writes all changed pages at once: requests get slower in waves.",
        labels=where.own_labels("checkpoints", "latency"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "Log is written faster than max_wal_size allows for one checkpoint_timeout, so"
                " checkpoints come early. Each also makes every page go to the log in full again,"
                " which fills it even faster. A base backup or a CHECKPOINT by hand counts too."
            ),
            diagnosis=(
                "```\nabops stack logs postgres -n 300 | grep -E 'checkpoint (starting|complete)"
                "|too frequently'\n```\n`checkpoint starting: wal` is this; `immediate force` is a"
                " backup. Who writes so much:\n\n```sql\nSHOW max_wal_size;\n"
                "SELECT queryid, calls, pg_size_pretty(wal_bytes) AS wal, left(query, 100)\n"
                "  FROM pg_stat_statements ORDER BY wal_bytes DESC LIMIT 10;\n```"
            ),
            mitigation=(
                "A bulk load: let it end. Otherwise give the log more room; no restart needed, the"
                " disk needs the space, and recovery after a crash takes longer:\n\n```sql\n"
                "ALTER SYSTEM SET max_wal_size = '4GB';\nSELECT pg_reload_conf();\n```\n"
                "Do not switch off full_page_writes."
            ),
        ),
        cases=(
            *around(
                limit,
                lambda v: {series("requested"): rising(v * STEP / window)},
                lambda v: Fired(
                    {"env": "local"},
                    f"{amount(v)} checkpoints in 30 minutes because the log was full",
                ),
                timing=Timing(warm=window),
            ),
            Case("on time", {series("timed"): rising(0.1)}, window),
        ),
    )


_POSTGRES_QUERY_REGRESSION_RUNBOOK: Final = Runbook(
    meaning=(
        "One of the twenty costliest statements takes more than three times as long as at"
        " this time yesterday, for a quarter of an hour."
    ),
    diagnosis=(
        "Its text, then its plan with real values from the log (`$1` stands for a"
        " value):\n\n```sql\nSELECT query, calls, mean_exec_time, rows\n"
        "  FROM pg_stat_statements WHERE queryid = QUERYID;\n"
        "EXPLAIN (ANALYZE, BUFFERS) SELECT ...;\n"
        "SELECT relname, last_analyze, last_autoanalyze, n_mod_since_analyze\n"
        "  FROM pg_stat_user_tables ORDER BY n_mod_since_analyze DESC LIMIT 10;\n```\n"
        "Estimated and actual rows far apart: old statistics. A Seq Scan that was an Index"
        " Scan: an index is gone or invalid (PostgresInvalidIndex). Same plan, more"
        " blocks: the data grew. EXPLAIN ANALYZE runs the statement: wrap an UPDATE into"
        " BEGIN and ROLLBACK."
    ),
    mitigation=(
        "```sql\nANALYZE the_table;\n```\nmends most plans within a minute and harms"
        " nothing. A missing index: CREATE INDEX CONCURRENTLY. Came with a deploy: roll it"
        " back. Do not set `enable_seqscan = off` for the server, and do not reset"
        " pg_stat_statements: that is the evidence."
    ),
)


def _regression(where: Place) -> Alert:
    factor, floor = 3.0, 0.1
    hold, step, day = 15 * MINUTE, 5 * MINUTE, timedelta(days=1)
    series = 'postgres_statement:seconds:mean5m{env="local",queryid="42"}'

    def fired(seconds: float) -> Fired:
        return Fired({"env": "local", "queryid": "42"}, f"Statement 42 takes {duration(seconds)}")

    def history(before: float, after: float) -> dict[str, str]:
        # A day (288 steps) of `before`; the first sample of `after` is the last one of that day.
        return {series: f"{before:g}x287 {after:g}x60"}

    return Alert(
        name="PostgresQueryRegression",
        group=GROUP,
        severity="warning",
        expr=(
            "postgres_statement:seconds:mean5m"
            " > {threshold} * postgres_statement:seconds:mean5m offset 1d"
            f" and postgres_statement:seconds:mean5m > {floor:g}"
        ),
        threshold=factor,
        unit="times yesterday's mean",
        hold=hold,
        reason=(
            "Load alone makes a statement twice as slow; three times, against the same hour of"
            f" yesterday and above {floor:g} s, is another plan."
        ),
        summary="Statement {{ $labels.queryid }} takes {{ $value | humanizeDuration }}",
        impact="What uses this statement is slower; it may hold connections and locks longer.",
        labels=where.own_labels("statements", "latency"),
        board=BOARD,
        step=step,
        runbook=_POSTGRES_QUERY_REGRESSION_RUNBOOK,
        cases=(
            Case("past the threshold", history(0.1, 0.33), day + hold, (fired(0.33),)),
            Case("not before its hold", history(0.1, 0.33), day + hold - step),
            Case("short of the threshold", history(0.1, 0.27), day + 2 * hold),
            Case("slow enough", history(0.01, 0.11), day + hold, (fired(0.11),)),
            Case("still quick", history(0.01, 0.09), day + 2 * hold),
            Case("it is new", {series: steady(5, 60)}, timedelta(hours=2)),
            Case("no data", {}, day + 2 * hold),
        ),
    )
