"""PostgreSQL's upkeep: transaction ids, dead rows, bloat, broken indexes."""

from datetime import timedelta
from typing import Final

from abops.observability.catalogue.alert import Alert, Case, Fired, Runbook, Severity
from abops.observability.catalogue.cases import Timing, around, steady
from abops.observability.catalogue.place import Place
from abops.observability.catalogue.wording import amount, percent

GROUP, BOARD = "postgres", "postgres"
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

_TABLE = {"env": "local", "schemaname": "public", "relname": "posts"}
_BY_TABLE = "max by (env, schemaname, relname)"
_DEAD = 'abops_pg_dead_tuples{env="local",schemaname="public",relname="posts"}'
_LIVE = _DEAD.replace("dead", "live")
_DUE = _DEAD.replace("dead", "autovacuum_due")
_LAST = _DEAD.replace("dead_tuples", "last_autovacuum_timestamp_seconds")

_VACUUMS = """\
```sql
SELECT pid, relid::regclass, phase, heap_blks_scanned, heap_blks_total, index_vacuum_count
  FROM pg_stat_progress_vacuum;
SELECT pid, application_name, state, backend_xmin, now() - xact_start AS open_for
  FROM pg_stat_activity WHERE backend_xmin IS NOT NULL ORDER BY age(backend_xmin) DESC LIMIT 5;
SELECT slot_name, xmin, catalog_xmin FROM pg_replication_slots;
SELECT gid, prepared, owner FROM pg_prepared_xacts;
```
The last three show who keeps dead rows alive: a transaction, a slot, a prepared transaction.
"""


def vacuum_alerts(where: Place) -> tuple[Alert, ...]:
    """Return the alerts about upkeep."""
    return (
        *(_age(where, name, severity, limit) for name in _AGES for severity, limit in _AGE_LEVELS),
        _autovacuum_stale(where),
        _dead_tuples(where),
        _table_bloat(where),
        _index_bloat(where),
        _invalid_index(where),
    )


_AGES = {
    "PostgresXidAge": ("abops_pg_xid_age", "transaction ids", "age(relfrozenxid)"),
    "PostgresMultixactAge": ("abops_pg_mxid_age", "multixact ids", "mxid_age(relminmxid)"),
}
_AGE_LEVELS: tuple[tuple[Severity, float], ...] = (("warning", 500e6), ("critical", 1.2e9))


def _age(where: Place, name: str, severity: Severity, limit: float) -> Alert:
    metric, what, column = _AGES[name]
    series = f'{metric}{{env="local",datname="analytic_bot"}}'
    return Alert(
        name=name,
        instance=severity,
        group=GROUP,
        severity=severity,
        expr=f"max by (env, datname) ({metric}) > {{threshold}}",
        threshold=limit,
        unit=what,
        hold=5 * MINUTE,
        reason=(
            "Autovacuum freezes from 200 million (multixacts: 400) on; at 500 million it does not"
            " get through. At 2,100 million PostgreSQL refuses to write: 1,200 leave days."
        ),
        summary=(
            f"The oldest of {{{{ $labels.datname }}}}'s {what} is {{{{ $value | humanize }}}} old"
        ),
        impact="None yet. If it goes on, PostgreSQL stops all writes until a vacuum has run.",
        labels=where.own_labels("vacuum", "maintenance"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                f"Some table's {what} were not frozen for very long. They are counted in 32 bits:"
                " the server must freeze old rows before the counter comes round, and stops"
                " writing rather than lose data."
            ),
            diagnosis=(
                "Which tables, and what keeps vacuum from them:\n\n```sql\n"
                f"SELECT oid::regclass, {column} AS age, pg_size_pretty(pg_table_size(oid))\n"
                "  FROM pg_class WHERE relkind IN ('r', 'm', 't') ORDER BY 2 DESC LIMIT 10;\n```\n"
                + _VACUUMS
                + "\nThe database of the label may be another one: connect to it."
            ),
            mitigation=(
                "First end what holds vacuum back: `SELECT pg_terminate_backend(PID);`,"
                " `SELECT pg_drop_replication_slot('SLOT');`, `ROLLBACK PREPARED 'GID';`. Then"
                " freeze the oldest tables, one after the other, without waiting between"
                " pages:\n\n```sql\nSET vacuum_cost_delay = 0;\nSET maintenance_work_mem = '1GB';\n"
                "VACUUM (FREEZE, INDEX_CLEANUP off, VERBOSE) the_table;\n```\nIt takes no lock that"
                " stops reads or writes. Never VACUUM FULL: it locks the table and itself needs a"
                " transaction id. Do not cancel an autovacuum marked `to prevent wraparound`: it"
                " starts again from the beginning."
            ),
        ),
        cases=around(
            limit,
            lambda v: {series: steady(v)},
            lambda v: Fired(
                {"env": "local", "datname": "analytic_bot"},
                f"The oldest of analytic_bot's {what} is {amount(v)} old",
            ),
            timing=Timing(5 * MINUTE),
        ),
    )


_POSTGRES_AUTOVACUUM_STALE_RUNBOOK: Final = Runbook(
    meaning=(
        "The table has more dead rows than its settings allow, but autovacuum does not"
        " come, does not finish, or is cancelled again and again."
    ),
    diagnosis=(
        _VACUUMS + "\nIs it off, or are all workers busy?\n\n```sql\n"
        "SELECT name, setting FROM pg_settings WHERE name LIKE 'autovacuum%';\n"
        "SELECT reloptions FROM pg_class WHERE oid = 'the_table'::regclass;\n```\n"
        "`canceling autovacuum task` in the server's log: somebody locks the table all"
        " the time (ALTER, LOCK, TRUNCATE in a loop)."
    ),
    mitigation=(
        "```sql\nVACUUM (ANALYZE, VERBOSE) the_table;\n```\nIt does not block anybody. Its"
        " last lines say how many rows are `dead but not yet removable`: if many, end the"
        " oldest transaction first. Too slow each time:\n\n```sql\n"
        "ALTER TABLE the_table SET (autovacuum_vacuum_cost_delay = 0,\n"
        "                           autovacuum_vacuum_scale_factor = 0.05);\n```\n"
        "Never switch autovacuum off to save I/O."
    ),
)


def _autovacuum_stale(where: Place) -> Alert:
    limit, step = 86_400.0, MINUTE

    fired = Fired(_TABLE, "Autovacuum is due on posts and has not finished for a day")

    def history(age: float, dead: float) -> dict[str, str]:
        return {_LAST: steady(-age), _DEAD: steady(dead), _DUE: steady(1000)}

    past = 1.1 * limit
    return Alert(
        name="PostgresAutovacuumStale",
        group=GROUP,
        severity="warning",
        expr=(
            f"time() - {_BY_TABLE} (abops_pg_last_autovacuum_timestamp_seconds) > {{threshold}}"
            f" and {_BY_TABLE} (abops_pg_dead_tuples)"
            f" > {_BY_TABLE} (abops_pg_autovacuum_due_tuples)"
        ),
        threshold=limit,
        unit="seconds",
        hold=HOUR,
        reason=(
            "By the table's own settings vacuum is due, for an hour already, and it has not"
            " finished for a day."
        ),
        summary="Autovacuum is due on {{ $labels.relname }} and has not finished for a day",
        impact="The table grows, its queries get slower, and its statistics are wrong.",
        labels=where.own_labels("vacuum", "maintenance"),
        board=BOARD,
        step=step,
        runbook=_POSTGRES_AUTOVACUUM_STALE_RUNBOOK,
        cases=(
            *around(
                limit, lambda v: history(v, 2000), lambda _v: fired, timing=Timing(HOUR, step=step)
            ),
            Case("just due", history(past, 1001), HOUR, (fired,)),
            Case("not due", history(past, 999), 2 * HOUR),
            Case("settings unknown", {_LAST: steady(-past), _DEAD: steady(2000)}, 2 * HOUR),
            Case("rows unknown", {_LAST: steady(-past), _DUE: steady(1000)}, 2 * HOUR),
        ),
    )


def _dead_tuples(where: Place) -> Alert:
    limit, floor, hold = 0.2, 10_000, 30 * MINUTE

    def fired(dead: float) -> Fired:
        return Fired(_TABLE, f"posts holds {amount(dead)} dead rows, more than 20%")

    return Alert(
        name="PostgresDeadTuples",
        group=GROUP,
        severity="warning",
        expr=(
            f"{_BY_TABLE} (abops_pg_dead_tuples) > {{threshold}} * {_BY_TABLE}"
            " (abops_pg_dead_tuples + abops_pg_live_tuples)"
            f" and {_BY_TABLE} (abops_pg_dead_tuples) > {floor}"
        ),
        threshold=limit,
        unit="ratio",
        hold=hold,
        reason=(
            "Autovacuum comes at a fifth of a table by default; half an hour later it should be"
            f" done. Below {floor:,} rows nobody notices."
        ),
        summary="{{ $labels.relname }} holds {{ $value | humanize }} dead rows, more than 20%",
        impact="Queries read the dead rows too; the table's files grow and do not shrink again.",
        labels=where.own_labels("vacuum", "maintenance"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "Rows that were changed or removed since the last vacuum make up more than a fifth"
                " of the table."
            ),
            diagnosis=(
                "```sql\nSELECT relname, n_live_tup, n_dead_tup, last_vacuum, last_autovacuum,\n"
                "       n_mod_since_analyze FROM pg_stat_user_tables ORDER BY n_dead_tup DESC\n"
                " LIMIT 10;\n```\n" + _VACUUMS
            ),
            mitigation=(
                "A vacuum is at work: let it. Otherwise:\n\n```sql\nVACUUM (ANALYZE) the_table;\n"
                "```\nDead rows that it cannot remove belong to an old transaction: end that one"
                " (PostgresLongTransaction). A job that rewrites the whole table each time should"
                " touch only what changes. Do not use VACUUM FULL in hours of work: it locks the"
                " table against everybody."
            ),
        ),
        cases=(
            *around(
                limit,
                lambda v: {_DEAD: steady(v * 1e6), _LIVE: steady((1 - v) * 1e6)},
                lambda v: fired(v * 1e6),
                timing=Timing(hold),
            ),
            Case(
                "few, but enough", {_DEAD: steady(11e3), _LIVE: steady(1e3)}, hold, (fired(11e3),)
            ),
            Case("a small table", {_DEAD: steady(9e3), _LIVE: steady(1e3)}, 2 * hold),
            Case("live rows unknown", {_DEAD: steady(1e6)}, 2 * hold),
        ),
    )


_BLOAT_RUNBOOK = Runbook(
    meaning=(
        "More than half of the pages hold nothing, by an estimate from the planner's statistics:"
        " rows were removed or changed faster than vacuum made room for new ones."
    ),
    diagnosis=(
        "Make sure: the estimate is off for columns that vary in width. The exact figure reads the"
        " whole relation:\n\n```sql\nCREATE EXTENSION IF NOT EXISTS pgstattuple;\n"
        "SELECT * FROM pgstattuple_approx('the_table');\nSELECT * FROM pgstatindex('the_index');\n"
        "```"
    ),
    mitigation=(
        "It can wait for a quiet hour. An index:\n\n```sql\n"
        "REINDEX INDEX CONCURRENTLY the_index;\n"
        "```\nA table, without a long lock (both copies need room on the disk meanwhile):\n\n```\n"
        "pg_repack --dbname=analytic_bot --table=public.the_table\n```\nNot VACUUM FULL while"
        " people use it: it locks the table for as long as it takes. Growing back at once: see"
        " PostgresDeadTuples. Room that will be filled again needs nothing done."
    ),
)
_LARGE = 100 * 1024**2
"""Below this size nothing is gained by mending it."""


def _table_bloat(where: Place) -> Alert:
    series = 'abops_pg_table_bloat_ratio{env="local",schemaname="public",relname="posts"}'
    return _bloat(where, "table", _BY_TABLE, series, _TABLE)


def _index_bloat(where: Place) -> Alert:
    series = (
        'abops_pg_index_bloat_ratio{env="local",schemaname="public",relname="posts",'
        'indexrelname="posts_pkey"}'
    )
    by = "max by (env, schemaname, relname, indexrelname)"
    return _bloat(where, "index", by, series, {**_TABLE, "indexrelname": "posts_pkey"})


def _bloat(where: Place, what: str, by: str, series: str, labels: dict[str, str]) -> Alert:
    limit = 0.5
    size = series.replace("bloat_ratio", "bytes")
    name = "indexrelname" if what == "index" else "relname"

    def fired(ratio: float) -> Fired:
        return Fired(labels, f"{percent(ratio)} of {what} {labels[name]} holds nothing")

    return Alert(
        name="PostgresBloat",
        instance=what,
        group=GROUP,
        severity="info",
        expr=(
            f"{by} (abops_pg_{what}_bloat_ratio) > {{threshold}}"
            f" and {by} (abops_pg_{what}_bytes) > {_LARGE}"
        ),
        threshold=limit,
        unit="ratio",
        hold=HOUR,
        reason="Half of more than 100 MiB: enough to be worth the work.",
        summary=(
            f"{{{{ $value | humanizePercentage }}}} of {what} {{{{ $labels.{name} }}}} holds"
            " nothing"
        ),
        impact="Disk, cache and backups carry the empty pages; scans read them.",
        labels=where.own_labels("vacuum", "maintenance"),
        board=BOARD,
        runbook=_BLOAT_RUNBOOK,
        cases=(
            *around(
                limit,
                lambda v: {series: steady(v), size: steady(2 * _LARGE)},
                fired,
                timing=Timing(HOUR),
            ),
            Case(
                "just large enough",
                {series: steady(0.6), size: steady(1.1 * _LARGE)},
                HOUR,
                (fired(0.6),),
            ),
            Case("small", {series: steady(0.6), size: steady(0.9 * _LARGE)}, HOUR),
            Case("size unknown", {series: steady(0.6)}, HOUR),
        ),
    )


def _invalid_index(where: Place) -> Alert:
    hold = 30 * MINUTE
    return Alert(
        name="PostgresInvalidIndex",
        group=GROUP,
        severity="warning",
        expr="max by (env) (abops_pg_invalid_indexes) >= {threshold}",
        threshold=1,
        unit="indexes",
        hold=hold,
        reason="An index that is being built is not counted: this one nobody finishes.",
        summary="{{ $value | humanize }} indexes are invalid",
        impact="Every write pays for it, no query uses it; a unique one promises nothing.",
        labels=where.own_labels("indexes", "maintenance"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "A CREATE INDEX CONCURRENTLY or REINDEX CONCURRENTLY was cut short, or found"
                " duplicates. The half-built index stays and is kept up with every write."
            ),
            diagnosis=(
                "```sql\nSELECT i.indexrelid::regclass AS index, i.indrelid::regclass AS of,\n"
                "       i.indisunique, pg_get_indexdef(i.indexrelid)\n"
                "  FROM pg_index i WHERE NOT i.indisvalid;\n```\nA name that ends in `_ccnew` is"
                " the new copy of a REINDEX, `_ccold` the old one."
            ),
            mitigation=(
                "`_ccnew`, `_ccold`: `DROP INDEX CONCURRENTLY the_index;`, then REINDEX again."
                " Otherwise build it anew:\n\n```sql\nREINDEX INDEX CONCURRENTLY the_index;\n```\n"
                "A unique one that failed on duplicates: remove the duplicates first, else it fails"
                " again. Never DROP INDEX without CONCURRENTLY in hours of work."
            ),
        ),
        cases=around(
            1,
            lambda v: {'abops_pg_invalid_indexes{env="local"}': steady(v)},
            lambda v: Fired({"env": "local"}, f"{amount(v)} indexes are invalid"),
            timing=Timing(hold),
        ),
    )
