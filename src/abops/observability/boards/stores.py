"""Boards of the stores: PostgreSQL and Redis."""

from abops.inventory.model import Inventory, Store
from abops.observability.boards.model import Board, Limit, Panel, Query, Row, chart, stat


def store_boards(inventory: Inventory) -> tuple[Board, ...]:
    """Return a board for each store whose kind has one."""
    makers = {"postgres": _postgres, "redis": _redis}
    return tuple(makers[s.kind](s) for s in inventory.stores if s.kind in makers)


def _where(store: Store) -> str:
    return f'env=~"$env",service="{store.name}"'


def _rate(metric: str, where: str, by: str = "") -> str:
    levels = f" by ({by})" if by else ""
    return f"sum{levels} (rate({metric}{{{where}}}[$__rate_interval]))"


def _postgres(store: Store) -> Board:
    where = _where(store)
    return Board(
        uid=f"ab-{store.name}",
        title=f"Store: {store.name}",
        description="Connections, locks, work, vacuum and replication of PostgreSQL.",
        tags=("store",),
        rows=(
            Row("Now", _postgres_now(where)),
            Row("Work", _postgres_work(where)),
            Row("Waiting", _postgres_waiting(where)),
            Row("Upkeep", _postgres_upkeep(where), collapsed=True),
            Row("Replication and durability", _postgres_durability(where), collapsed=True),
        ),
    )


def _postgres_now(where: str) -> tuple[Panel, ...]:
    return (
        stat(
            "Answers",
            "short",
            f"min(pg_up{{{where}}})",
            "1 when the exporter can log in.",
            Limit(1, "green"),
            small_is_bad=True,
        ),
        stat(
            "Connections",
            "percentunit",
            f"max(postgres:connections:ratio{{{where}}})",
            "Connections in use over those that ordinary roles may open.",
            Limit(0.8, "yellow"),
            Limit(0.95),
        ),
        stat(
            "Cache hits",
            "percentunit",
            f"min(postgres:cache_hit:ratio{{{where}}})",
            "Blocks found in memory.",
            Limit(0.9, "yellow"),
            Limit(0.95, "green"),
            small_is_bad=True,
        ),
        stat(
            "Longest transaction",
            "s",
            f"max(pg_stat_activity_max_tx_duration{{{where}}})",
            "Age of the oldest open transaction. A long one stops vacuum everywhere.",
            Limit(300, "yellow"),
            Limit(600),
        ),
        stat(
            "Blocked",
            "short",
            f"max(abops_pg_blocked_backends{{{where.split(',', maxsplit=1)[0]}}})",
            "Sessions that wait for a lock of another session.",
            Limit(1, "yellow"),
            Limit(5),
        ),
        stat(
            "Size",
            "bytes",
            f'sum(pg_database_size_bytes{{{where},datname!~"template.*"}})',
            "All databases together.",
        ),
    )


def _postgres_work(where: str) -> tuple[Panel, ...]:
    env = where.split(",", maxsplit=1)[0]
    return (
        chart(
            "Transactions",
            "ops",
            "Committed and rolled back each second.",
            Query(_rate("pg_stat_database_xact_commit", where), "commit"),
            Query(_rate("pg_stat_database_xact_rollback", where), "rollback"),
        ),
        chart(
            "Rows",
            "ops",
            "Rows read, added, changed and removed each second.",
            *(
                Query(_rate(f"pg_stat_database_tup_{name}", where), name)
                for name in ("fetched", "inserted", "updated", "deleted")
            ),
        ),
        chart(
            "Slowest statements, mean",
            "s",
            "Mean time of the slowest statements, by their query id:"
            " `SELECT query FROM pg_stat_statements WHERE queryid = ...`.",
            Query(
                f"topk(10, max by (queryid) (abops_pg_statement_mean_seconds{{{env}}}))",
                "{{queryid}}",
            ),
            no_value="no data: pg_stat_statements is not loaded",
        ),
        chart(
            "Blocks",
            "ops",
            "Blocks found in memory and read from disk.",
            Query(_rate("pg_stat_database_blks_hit", where), "memory"),
            Query(_rate("pg_stat_database_blks_read", where), "disk"),
        ),
        chart(
            "Temporary files",
            "Bps",
            "Bytes that sorts and joins wrote to disk, because work_mem did not suffice.",
            Query(_rate("pg_stat_database_temp_bytes", where), "temporary"),
        ),
        chart(
            "Checkpoints",
            "ops",
            "Checkpoints on time and on demand: many on demand mean that max_wal_size is small.",
            Query(_rate("pg_stat_bgwriter_checkpoints_timed_total", where), "timed"),
            Query(_rate("pg_stat_bgwriter_checkpoints_req_total", where), "demanded"),
        ),
    )


def _postgres_waiting(where: str) -> tuple[Panel, ...]:
    env = where.split(",", maxsplit=1)[0]
    return (
        chart(
            "Sessions by state",
            "short",
            "`idle in transaction` holds locks while nobody works.",
            Query(f"sum by (state) (pg_stat_activity_count{{{where}}})", "{{state}}"),
            stacked=True,
        ),
        chart(
            "Blocked sessions",
            "short",
            "Sessions that wait for another session's lock.",
            Query(f"max(abops_pg_blocked_backends{{{env}}})", "blocked"),
            limits=(Limit(5),),
        ),
        chart(
            "Longest wait for a lock",
            "s",
            "How long the session waits that has waited longest.",
            Query(f"max(abops_pg_oldest_block_seconds{{{env}}})", "oldest"),
            limits=(Limit(60),),
        ),
        chart(
            "Deadlocks",
            "short",
            "Deadlocks of each hour.",
            Query(f"sum(increase(pg_stat_database_deadlocks{{{where}}}[1h]))", "deadlocks"),
            limits=(Limit(1),),
        ),
        chart(
            "Locks by mode",
            "short",
            "Locks held, by mode.",
            Query(f"sum by (mode) (pg_locks_count{{{where}}}) > 0", "{{mode}}"),
            stacked=True,
        ),
    )


def _postgres_upkeep(where: str) -> tuple[Panel, ...]:
    env = where.split(",", maxsplit=1)[0]
    return (
        chart(
            "Age of the oldest transaction id",
            "short",
            "At two thousand million PostgreSQL stops taking writes; vacuum brings it down.",
            Query(f"max(abops_pg_xid_age{{{env}}})", "transactions"),
            Query(f"max(abops_pg_mxid_age{{{env}}})", "multixacts"),
            limits=(Limit(500e6, "yellow"), Limit(1.2e9)),
        ),
        chart(
            "Dead rows",
            "percentunit",
            "Share of dead rows in the tables that have most of them.",
            Query(
                f"topk(10, max by (relname) (abops_pg_dead_tuples{{{env}}})"
                f" / (max by (relname) (abops_pg_live_tuples{{{env}}}"
                f" + abops_pg_dead_tuples{{{env}}}) > 0))",
                "{{relname}}",
            ),
            limits=(Limit(0.2),),
        ),
        chart(
            "Bloat",
            "percentunit",
            "Share of a table's pages that hold nothing.",
            Query(
                f"topk(10, max by (relname) (abops_pg_table_bloat_ratio{{{env}}}))", "{{relname}}"
            ),
            limits=(Limit(0.5),),
            no_value="no table is large enough to judge",
        ),
        chart(
            "Since the last autovacuum",
            "s",
            "Time since autovacuum last finished, for the tables with most changes.",
            Query(
                "topk(10, time() - max by (relname)"
                f" (abops_pg_last_autovacuum_timestamp_seconds{{{env}}} > 0))",
                "{{relname}}",
            ),
            no_value="autovacuum has not run yet",
        ),
        chart(
            "Invalid indexes",
            "short",
            "Indexes that a failed CREATE INDEX CONCURRENTLY left behind: they cost and do not"
            " help.",
            Query(f"max(abops_pg_invalid_indexes{{{env}}})", "invalid"),
            limits=(Limit(1),),
        ),
    )


def _postgres_durability(where: str) -> tuple[Panel, ...]:
    env = where.split(",", maxsplit=1)[0]
    none = "no replica in this environment"
    return (
        chart(
            "Replicas",
            "short",
            "Replicas that are connected.",
            Query(f"max(abops_pg_replicas{{{env}}})", "replicas"),
        ),
        chart(
            "Replication lag",
            "s",
            "How far the slowest replica is behind.",
            Query(f"max(abops_pg_replication_lag_seconds{{{env}}})", "lag"),
            limits=(Limit(30, "yellow"), Limit(300)),
            no_value=none,
        ),
        chart(
            "Room of replication slots",
            "bytes",
            "Bytes of log that a slot may still fall behind before it is lost.",
            Query(f"min by (slot_name) (abops_pg_slot_safe_wal_bytes{{{env}}})", "{{slot_name}}"),
            no_value="no replication slot in this environment",
        ),
        chart(
            "Archive failures",
            "short",
            "Segments of the log that could not be archived, of each hour.",
            Query(f"sum(increase(pg_stat_archiver_failed_count{{{where}}}[1h]))", "failed"),
            limits=(Limit(1),),
        ),
    )


def _redis(store: Store) -> Board:
    where = _where(store)
    return Board(
        uid=f"ab-{store.name}",
        title=f"Store: {store.name}",
        description="Memory, work, clients and persistence of Redis.",
        tags=("store",),
        rows=(
            Row("Now", _redis_now(where)),
            Row("Work", _redis_work(where)),
            Row("Persistence", _redis_persistence(where), collapsed=True),
        ),
    )


def _redis_now(where: str) -> tuple[Panel, ...]:
    return (
        stat(
            "Answers",
            "short",
            f"min(redis_up{{{where}}})",
            "1 when the exporter gets an answer.",
            Limit(1, "green"),
            small_is_bad=True,
        ),
        stat(
            "Memory",
            "bytes",
            f"max(redis_memory_used_bytes{{{where}}})",
            "Memory that its data takes.",
        ),
        stat(
            "Clients",
            "short",
            f"max(redis_connected_clients{{{where}}})",
            "Connected clients.",
        ),
        stat(
            "Commands",
            "ops",
            f"sum(rate(redis_commands_processed_total{{{where}}}[5m]))",
            "Commands each second.",
        ),
        stat(
            "Cache hits",
            "percentunit",
            f"min(redis:hit:ratio{{{where}}})",
            "Lookups that found their key.",
            Limit(0.5, "yellow"),
            Limit(0.8, "green"),
            small_is_bad=True,
        ),
        stat(
            "Keys",
            "short",
            f"sum(redis_db_keys{{{where}}})",
            "Keys in all databases.",
        ),
    )


def _redis_work(where: str) -> tuple[Panel, ...]:
    return (
        chart(
            "Commands by name, ten busiest",
            "ops",
            "What Redis is asked to do.",
            Query(f"topk(10, {_rate('redis_commands_total', where, 'cmd')})", "{{cmd}}"),
            stacked=True,
        ),
        chart(
            "Time by command",
            "s",
            "Seconds of its single thread that each command takes in a second: at one it is full.",
            Query(
                f"topk(10, {_rate('redis_commands_duration_seconds_total', where, 'cmd')})",
                "{{cmd}}",
            ),
            stacked=True,
        ),
        chart(
            "Memory",
            "bytes",
            "Memory for data, and memory taken from the machine.",
            Query(f"max(redis_memory_used_bytes{{{where}}})", "data"),
            Query(f"max(redis_memory_used_rss_bytes{{{where}}})", "from the machine"),
            Query(f"max(redis_memory_max_bytes{{{where}}} > 0)", "limit"),
        ),
        chart(
            "Evicted and expired",
            "ops",
            "Keys that ran out, and keys thrown out for want of memory.",
            Query(_rate("redis_expired_keys_total", where), "expired"),
            Query(_rate("redis_evicted_keys_total", where), "evicted"),
        ),
        chart(
            "Clients",
            "short",
            "Connected clients, and those that wait in a blocking command (workers do).",
            Query(f"max(redis_connected_clients{{{where}}})", "connected"),
            Query(f"max(redis_blocked_clients{{{where}}})", "blocked"),
        ),
        chart(
            "Network",
            "Bps",
            "Bytes in and out.",
            Query(_rate("redis_net_input_bytes_total", where), "in"),
            Query(_rate("redis_net_output_bytes_total", where), "out"),
        ),
    )


def _redis_persistence(where: str) -> tuple[Panel, ...]:
    return (
        chart(
            "Changes since the last snapshot",
            "short",
            "What a crash would lose without the append-only file.",
            Query(f"max(redis_rdb_changes_since_last_save{{{where}}})", "changes"),
        ),
        chart(
            "Append-only file",
            "bytes",
            "Its size; it shrinks when it is rewritten.",
            Query(f"max(redis_aof_current_size_bytes{{{where}}})", "size"),
            no_value="no data: the append-only file is off",
        ),
        chart(
            "Last writes succeeded",
            "bool",
            "Whether the last snapshot and the last append worked.",
            Query(f"min(redis_rdb_last_bgsave_status{{{where}}})", "snapshot"),
            Query(f"min(redis_aof_last_write_status{{{where}}})", "append"),
        ),
    )
