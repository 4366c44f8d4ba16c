"""What PostgreSQL says about itself, asked by our own exporter: series that alerts rely on.

The public exporter renames and drops such series from release to release, and PostgreSQL moves
its columns; here each statement is ours and runs on every supported server (15 to 17). A role
with pg_monitor is enough, except for the estimates of bloat: they cover the tables that the role
may read. Values that the server does not have (NULL) give no sample.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from msgspec import Struct

from abops.observability.business import Sample
from abops.observability.wal_position import WalHistory

SLOWLY = timedelta(minutes=1)
"""Time between two readings of what changes slowly and costs a look at the whole catalogue."""
TOP = 20
"""Tables, indexes and statements shown: one series each, whatever the database grows to."""
SEPARATE_CHECKPOINTER = 170_000
"""Version from which checkpoints are counted in a view of their own."""


class Figure(Struct, frozen=True):
    """One series: its name, what it says, and whether it only grows."""

    metric: str
    help: str
    is_counter: bool = False


class Reading(Struct, frozen=True):
    """One statement: each row holds label values, then one value a figure."""

    figures: tuple[Figure, ...]
    labels: tuple[str, ...]
    statement: str
    is_slow: bool = False


class Rows(Protocol):
    """Something that runs a statement; raises OpsError."""

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Return all rows of `statement`."""
        ...


_TABLE = ("schemaname", "relname")
_INDEX = ("schemaname", "relname", "indexrelname")

LAG = Figure(
    "abops_pg_replication_lag_seconds",
    "How long ago the log was written that this replica replayed last; zero when it is level.",
)
_LAG_LABELS = ("replica",)
_LAG = """
WITH here AS (
    SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                ELSE pg_current_wal_lsn() END - '0/0'::pg_lsn AS written)
SELECT here.written, COALESCE(s.slot_name, r.application_name),
       min(r.replay_lsn - '0/0'::pg_lsn),
       COALESCE(extract(epoch FROM max(r.replay_lag)), 0)
  FROM here
  LEFT JOIN pg_stat_replication r ON r.state = 'streaming'
  LEFT JOIN pg_replication_slots s ON s.active_pid = r.pid
 GROUP BY 1, 2
"""

_TIMED = "SELECT 'timed', {timed} FROM {view} UNION ALL SELECT 'requested', {requested} FROM {view}"
_CHECKPOINTS = Figure(
    "abops_pg_checkpoints_total", "Checkpoints, by what called for them.", is_counter=True
)

READINGS = (
    Reading(
        (Figure("abops_pg_start_time_seconds", "When the server started, as Unix time."),),
        (),
        "SELECT extract(epoch FROM pg_postmaster_start_time())",
    ),
    Reading(
        (
            Figure("abops_pg_xid_age", "Transactions since the database's oldest row froze."),
            Figure("abops_pg_mxid_age", "Multixacts since the database's oldest one froze."),
        ),
        ("datname",),
        "SELECT datname, age(datfrozenxid), mxid_age(datminmxid) FROM pg_database",
    ),
    Reading(
        (
            Figure("abops_pg_blocked_backends", "Sessions that wait for a lock."),
            Figure("abops_pg_oldest_block_seconds", "How long the longest of them has waited."),
        ),
        (),
        "SELECT count(DISTINCT pid),"
        " COALESCE(max(extract(epoch FROM clock_timestamp() - waitstart)), 0)"
        " FROM pg_locks WHERE NOT granted",
    ),
    Reading(
        (
            Figure(
                "abops_pg_wal_bytes_total",
                "Write-ahead log written since the cluster was made; none on a replica.",
                is_counter=True,
            ),
        ),
        (),
        "SELECT CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_lsn() - '0/0'::pg_lsn END",
    ),
    Reading(
        (Figure("abops_pg_replicas", "Replicas that stream."),),
        (),
        "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'",
    ),
    Reading(
        (
            Figure("abops_pg_slot_active", "1 while somebody reads from the slot."),
            Figure(
                "abops_pg_slot_safe_wal_bytes",
                "Log that may still be written before the slot is lost; none without a limit.",
            ),
        ),
        ("slot_name",),
        "SELECT slot_name, active::int,"
        " CASE WHEN wal_status = 'lost' OR safe_wal_size < 0 THEN 0 ELSE safe_wal_size END"
        " FROM pg_replication_slots WHERE NOT temporary",
    ),
    Reading(
        (
            Figure(
                "abops_pg_checksum_failures_total",
                "Pages whose checksum was wrong; none where checksums are off.",
                is_counter=True,
            ),
        ),
        ("datname",),
        "SELECT COALESCE(datname, 'shared'), checksum_failures FROM pg_stat_database",
    ),
    Reading(
        (
            Figure("abops_pg_live_tuples", "Live rows, as the server counts."),
            Figure("abops_pg_dead_tuples", "Dead rows that wait for vacuum."),
            Figure(
                "abops_pg_autovacuum_due_tuples",
                "Dead rows at which autovacuum comes, by the table's settings.",
            ),
            Figure(
                "abops_pg_last_autovacuum_timestamp_seconds",
                "When autovacuum last finished the table, as Unix time; 0: never.",
            ),
        ),
        _TABLE,
        f"""
SELECT t.schemaname, t.relname, t.n_live_tup, t.n_dead_tup,
       COALESCE(o.threshold, current_setting('autovacuum_vacuum_threshold')::float)
       + COALESCE(o.scale, current_setting('autovacuum_vacuum_scale_factor')::float)
         * greatest(c.reltuples, 0),
       COALESCE(extract(epoch FROM t.last_autovacuum), 0)
  FROM pg_stat_user_tables t
  JOIN pg_class c ON c.oid = t.relid
 CROSS JOIN LATERAL (
       SELECT max(option_value::float)
                FILTER (WHERE option_name = 'autovacuum_vacuum_threshold') AS threshold,
              max(option_value::float)
                FILTER (WHERE option_name = 'autovacuum_vacuum_scale_factor') AS scale
         FROM pg_options_to_table(c.reloptions)) o
 ORDER BY t.n_dead_tup DESC, t.n_live_tup DESC LIMIT {TOP}
""",  # noqa: S608 - our own number
        is_slow=True,
    ),
    Reading(
        (
            Figure(
                "abops_pg_invalid_indexes",
                "Indexes that an interrupted CREATE INDEX CONCURRENTLY left behind.",
            ),
        ),
        (),
        "SELECT count(*) FROM pg_index i WHERE NOT i.indisvalid AND NOT EXISTS"
        " (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)",
        is_slow=True,
    ),
    Reading(
        (
            Figure("abops_pg_table_bloat_ratio", "Share of a table's pages that hold nothing."),
            Figure("abops_pg_table_bytes", "Size of the table without indexes and TOAST."),
        ),
        _TABLE,
        f"""
WITH width AS (
    SELECT s.schemaname, s.tablename, count(*) AS columns,
           sum((1 - s.null_frac) * s.avg_width) AS bytes
      FROM pg_stats s WHERE NOT s.inherited GROUP BY 1, 2),
size AS (
    SELECT n.nspname, c.relname, c.relpages,
           current_setting('block_size')::int AS page,
           ceil(c.reltuples * (28 + ceil(w.bytes / 8) * 8)
                / ((current_setting('block_size')::int - 24) * COALESCE(
                   (SELECT option_value::float FROM pg_options_to_table(c.reloptions)
                     WHERE option_name = 'fillfactor'), 100) / 100)) AS needed
      FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN width w ON w.schemaname = n.nspname AND w.tablename = c.relname
     WHERE c.relkind IN ('r', 'm') AND c.relpages >= 128 AND c.reltuples >= 0
       AND n.nspname NOT IN ('pg_catalog', 'information_schema')
       AND w.columns = (SELECT count(*) FROM pg_attribute a
                         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped))
SELECT nspname, relname, greatest(0, 1 - needed / relpages), relpages::bigint * page
  FROM size ORDER BY relpages - needed DESC LIMIT {TOP}
""",  # noqa: S608 - our own number
        is_slow=True,
    ),
    Reading(
        (
            Figure("abops_pg_index_bloat_ratio", "Share of a B-tree's pages that hold nothing."),
            Figure("abops_pg_index_bytes", "Size of the index."),
        ),
        _INDEX,
        f"""
WITH size AS (
    SELECT n.nspname, t.relname, c.relname AS name, c.relpages,
           current_setting('block_size')::int AS page,
           1 + ceil(1.01 * c.reltuples * (12 + ceil(w.bytes / 8) * 8)
                / ((current_setting('block_size')::int - 40) * COALESCE(
                   (SELECT option_value::float FROM pg_options_to_table(c.reloptions)
                     WHERE option_name = 'fillfactor'), 90) / 100)) AS needed
      FROM pg_index i
      JOIN pg_class c ON c.oid = i.indexrelid
      JOIN pg_class t ON t.oid = i.indrelid
      JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_am m ON m.oid = c.relam AND m.amname = 'btree'
     CROSS JOIN LATERAL (
           SELECT count(*) AS columns, sum((1 - s.null_frac) * s.avg_width) AS bytes
             FROM unnest(i.indkey::int2[]) AS k (attnum)
             JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum
             JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = t.relname
                            AND s.attname = a.attname AND NOT s.inherited) w
     WHERE i.indexprs IS NULL AND w.columns = i.indnatts
       AND c.relpages >= 128 AND c.reltuples >= 0
       AND n.nspname NOT IN ('pg_catalog', 'information_schema'))
SELECT nspname, relname, name, greatest(0, 1 - needed / relpages), relpages::bigint * page
  FROM size ORDER BY relpages - needed DESC LIMIT {TOP}
""",  # noqa: S608 - our own number
        is_slow=True,
    ),
)

_STATEMENTS = (
    Figure("abops_pg_statement_mean_seconds", "Mean time of a statement since the last reset."),
    Figure("abops_pg_statement_seconds_total", "Time spent in a statement.", is_counter=True),
    Figure("abops_pg_statement_calls_total", "How often a statement ran.", is_counter=True),
)
_STATEMENTS_WHERE = """
SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
 WHERE e.extname = 'pg_stat_statements'
   AND current_setting('pg_stat_statements.max', true) IS NOT NULL
"""
"""Where the view is; no row when the extension is not made here or the server has not loaded it."""

FAMILIES: dict[str, tuple[Figure, tuple[str, ...]]] = {
    **{
        figure.metric: (figure, reading.labels)
        for reading in READINGS
        for figure in reading.figures
    },
    **{figure.metric: (figure, ("queryid",)) for figure in _STATEMENTS},
    _CHECKPOINTS.metric: (_CHECKPOINTS, ("trigger",)),
    LAG.metric: (LAG, _LAG_LABELS),
}
"""Every series by its name, with its labels."""


class PostgresStatistics:
    """The server's own figures, as a source of the exporter."""

    name = "postgres-statistics"

    def __init__(self, reader: Rows) -> None:
        self._reader = reader
        self._written = WalHistory()
        self._slow: list[Sample] = []
        self._slow_at: datetime | None = None

    def read(self, now: datetime) -> list[Sample]:
        """Return all samples. Raises PostgresUnreachableError."""
        samples = [
            *(sample for r in READINGS if not r.is_slow for sample in self._samples(r, now)),
            *self._samples(self._checkpoints(), now),
            *self._lag(now),
        ]
        if self._slow_at is None or now - self._slow_at >= SLOWLY:
            slow = [sample for r in READINGS if r.is_slow for sample in self._samples(r, now)]
            self._slow = slow + self._statements(now)
            self._slow_at = now
        return samples + self._slow

    def _samples(self, reading: Reading, now: datetime) -> list[Sample]:
        return samples_of(reading, self._reader.rows(reading.statement), now)

    def _checkpoints(self) -> Reading:
        version = self._reader.rows("SELECT current_setting('server_version_num')::int")[0][0]
        return Reading((_CHECKPOINTS,), ("trigger",), checkpoints_statement(version))

    def _lag(self, now: datetime) -> list[Sample]:
        rows = self._reader.rows(_LAG)
        self._written.note(now, float(rows[0][0]))
        return [
            Sample(LAG.metric, (replica,), max(self._written.behind(now, replayed), said), now)
            for _written, replica, replayed, said in (
                (row[0], row[1], float(row[2] or 0), float(row[3])) for row in rows
            )
            if replica is not None
        ]

    def _statements(self, now: datetime) -> list[Sample]:
        found = self._reader.rows(_STATEMENTS_WHERE)
        if not found:
            return []
        reading = Reading(_STATEMENTS, ("queryid",), top_statements(found[0][0]))
        return self._samples(reading, now)


def checkpoints_statement(version: int) -> str:
    """Return the statement that counts checkpoints on this version of the server."""
    if version >= SEPARATE_CHECKPOINTER:
        return _TIMED.format(
            timed="num_timed", requested="num_requested", view="pg_stat_checkpointer"
        )
    return _TIMED.format(
        timed="checkpoints_timed", requested="checkpoints_req", view="pg_stat_bgwriter"
    )


def top_statements(schema: str) -> str:
    """Return the statement that reads the costliest statements of this database."""
    quoted = schema.replace('"', '""')
    return f"""
SELECT queryid, sum(total_exec_time) / sum(calls) / 1000, sum(total_exec_time) / 1000, sum(calls)
  FROM "{quoted}".pg_stat_statements
 WHERE queryid IS NOT NULL AND calls > 0
   AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
 GROUP BY 1 ORDER BY sum(total_exec_time) DESC LIMIT {TOP}
"""  # noqa: S608 - the server's own name, quoted


def samples_of(reading: Reading, rows: Sequence[tuple[Any, ...]], now: datetime) -> list[Sample]:
    """Turn the rows of a statement into samples; what the server does not know is left out."""
    width = len(reading.labels)
    return [
        Sample(figure.metric, tuple(map(str, row[:width])), float(value), now)
        for row in rows
        for figure, value in zip(reading.figures, row[width:], strict=True)
        if value is not None
    ]
