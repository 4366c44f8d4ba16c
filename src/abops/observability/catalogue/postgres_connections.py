"""PostgreSQL's sessions: how many there are, what they hold open, and who waits for whom."""

from datetime import timedelta

from abops.observability.catalogue.alert import Alert, Case, Fired, Runbook, Severity
from abops.observability.catalogue.cases import STEP, Timing, around, rising, steady
from abops.observability.catalogue.place import Place
from abops.observability.catalogue.wording import amount, duration, percent

GROUP, BOARD = "postgres", "postgres"
TX_DURATION = "pg_stat_activity_max_tx_duration"
SERVED = {"env": "local", "service": "postgres"}
MINUTE = timedelta(minutes=1)

_SESSIONS = """\
In `psql` as an administrator (`superuser_reserved_connections` keeps places for you):

```sql
SELECT usename, application_name, state, count(*), max(now() - state_change) AS longest
  FROM pg_stat_activity WHERE backend_type = 'client backend'
 GROUP BY 1, 2, 3 ORDER BY 4 DESC;
```
"""
_OPEN = """\
```sql
SELECT pid, usename, application_name, state, now() - xact_start AS open_for,
       pg_blocking_pids(pid) AS waits_for, left(query, 80) AS query
  FROM pg_stat_activity WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid()
 ORDER BY xact_start LIMIT 10;
```
"""


def connection_alerts(where: Place) -> tuple[Alert, ...]:
    """Return the alerts about sessions, transactions and locks."""
    return (
        _connections(where, "warning", 0.8, 5 * MINUTE),
        _connections(where, "critical", 0.95, MINUTE),
        _idle_in_transaction(where),
        _long_transaction(where),
        _deadlocks(where),
        _blocked(where),
    )


def _connections(where: Place, severity: Severity, share: float, hold: timedelta) -> Alert:
    series = 'postgres:connections:ratio{env="local",service="postgres"}'
    return Alert(
        name="PostgresConnections",
        instance=severity,
        group=GROUP,
        severity=severity,
        expr="postgres:connections:ratio > {threshold}",
        threshold=share,
        unit="ratio",
        hold=hold,
        reason=(
            "Share of max_connections less those kept for administrators. A rolling deploy opens"
            " the pools of the new pods before the old ones close theirs: that takes a fifth."
            " At 95 % the next pod that starts cannot log in."
        ),
        summary=("{{ $labels.service }} uses {{ $value | humanizePercentage }} of its connections"),
        impact="At 100 % every new login fails: the API answers 503, bot and worker cannot start.",
        labels=where.labels("connections", "saturation"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "Nearly all places for sessions are taken. PostgreSQL does not queue logins: the"
                " one too many is refused with `FATAL: sorry, too many clients already`."
            ),
            diagnosis=(
                _SESSIONS + "\nMany `idle` of one application: its pools are too large, or it runs"
                " more pods than planned. Many `active` with `wait_event_type = 'Lock'`: one"
                " blocker, see PostgresBlockedQueries. Many `idle in transaction`: see"
                " PostgresIdleInTransaction."
            ),
            mitigation=(
                "End what has idled for more than ten minutes; its pool opens new sessions when it"
                " needs them:\n\n```sql\n"
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity\n"
                " WHERE state = 'idle' AND state_change < now() - interval '10 minutes'\n"
                "   AND backend_type = 'client backend' AND pid <> pg_backend_pid();\n```\n"
                "Then shrink what asks for too many: pods x processes x (DB_POOL_SIZE +"
                " DB_MAX_OVERFLOW) over all services must stay under max_connections. Do not raise"
                " max_connections in haste: it needs a restart, and every place costs memory. Do"
                " not restart PostgreSQL: all pools come back at once."
            ),
        ),
        cases=around(
            share,
            lambda v: {series: steady(v)},
            lambda v: Fired(SERVED, f"postgres uses {percent(v)} of its connections"),
            timing=Timing(hold),
        ),
    )


def pool_timeouts(where: Place) -> Alert:
    """Return the alert about the pools in front of PostgreSQL; it belongs to their owner."""
    series = 'db_client_connection_timeouts_total{env="local",service="api"}'
    limit, window = 2.0, 5 * MINUTE
    return Alert(
        name="PostgresPoolTimeouts",
        group=GROUP,
        severity="warning",
        expr=(
            "sum by (env, service) (increase(db_client_connection_timeouts_total[5m]))"
            " > {threshold}"
        ),
        threshold=limit,
        unit="requests in 5 minutes",
        reason="Each one is a person who waited DB_POOL_TIMEOUT seconds and got an error.",
        summary=(
            "{{ $labels.service }}: {{ $value | humanize }} requests got no database connection"
            " in 5 minutes"
        ),
        impact="Requests of {{ $labels.service }} hang for the pool's time limit, then fail.",
        labels=where.labels("pool", "saturation"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "All connections of this process' pool were in use for as long as a request may"
                " wait. PostgreSQL itself may have room: the pool is the limit."
            ),
            diagnosis=(
                "Are the connections busy, or held by code that does something else meanwhile?\n\n"
                + _OPEN
                + "\n`active` for long: the database is slow, look at PostgresBlockedQueries and"
                " PostgresQueryRegression. `idle in transaction`: the code keeps a connection over"
                " a call to Telegram or another service."
            ),
            mitigation=(
                "End the transactions that hold the pool (`SELECT pg_terminate_backend(PID);`), or"
                " restart the service to empty it:\n\n```\nabops stack restart SERVICE\n```\nIf the"
                " load is real, add a pod or raise DB_MAX_OVERFLOW, after a look at"
                " PostgresConnections: a larger pool only helps while PostgreSQL has places. Do"
                " not raise DB_POOL_TIMEOUT: people wait longer for the same error."
            ),
        ),
        cases=(
            *around(
                limit,
                lambda v: {series: rising(v * STEP / window)},
                lambda v: Fired(
                    {"env": "local", "service": "api"},
                    f"api: {amount(v)} requests got no database connection in 5 minutes",
                ),
                timing=Timing(warm=window),
            ),
            Case("timeouts long ago", {series: "0+1x10 10x400"}, timedelta(minutes=30)),
        ),
    )


def _idle_in_transaction(where: Place) -> Alert:
    limit = 300.0

    def series(state: str) -> str:
        return f'{TX_DURATION}{{env="local",service="postgres",state="{state}"}}'

    return Alert(
        name="PostgresIdleInTransaction",
        group=GROUP,
        severity="warning",
        expr=(
            f'max by (env, service) ({TX_DURATION}{{state=~"idle in transaction.*"}})'
            " > {threshold}"
        ),
        threshold=limit,
        unit="seconds",
        reason="No request takes five minutes: whoever opened it has forgotten it.",
        summary=(
            "A transaction has been open and idle for {{ $value | humanizeDuration }}"
            " on {{ $labels.service }}"
        ),
        impact="Vacuum cannot remove rows that died since; others may wait for its locks.",
        labels=where.labels("transactions", "maintenance"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "A session began a transaction, does nothing, and does not end it. It keeps its"
                " locks, and every row that died since it began stays on disk."
            ),
            diagnosis=(
                _OPEN + "\nLook for `idle in transaction`: `application_name` says which service,"
                " `query` what it ran last. `idle in transaction (aborted)` is an error that the"
                " code swallowed without a rollback."
            ),
            mitigation=(
                "```sql\nSELECT pg_terminate_backend(PID);\n```\nIts changes are rolled back:"
                " first make sure that it is not somebody's migration. `pg_cancel_backend` does"
                " nothing here, because no statement runs. To have the server end the next one:\n\n"
                "```sql\nALTER ROLE analytic SET idle_in_transaction_session_timeout = '5min';\n"
                "```\nIt holds for sessions that start from now on."
            ),
        ),
        cases=(
            *around(
                limit,
                lambda v: {series("idle in transaction"): steady(v)},
                lambda v: Fired(
                    SERVED,
                    f"A transaction has been open and idle for {duration(v)} on postgres",
                ),
            ),
            Case("it works", {series("active"): steady(9 * limit)}, MINUTE),
        ),
    )


def _long_transaction(where: Place) -> Alert:
    limit = 600.0

    def series(backend: str = "client backend", application: str = "analyticbot") -> str:
        return (
            f'{TX_DURATION}{{env="local",service="postgres",backend_type="{backend}",'
            f'application_name="{application}"}}'
        )

    return Alert(
        name="PostgresLongTransaction",
        group=GROUP,
        severity="warning",
        expr=(
            f'max by (env, service) ({TX_DURATION}{{backend_type="client backend",'
            'application_name!~"pg_dump.*|pgBackRest.*"})'
            " > {threshold}"
        ),
        threshold=limit,
        unit="seconds",
        reason="A task may run for 600 s: no transaction of the workload lives longer.",
        summary=(
            "A transaction has been open for {{ $value | humanizeDuration }}"
            " on {{ $labels.service }}"
        ),
        impact="Dead rows pile up in every table until it ends; queries get slower.",
        labels=where.labels("transactions", "maintenance"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "A client's transaction is older than ten minutes. Vacuum keeps every row that it"
                " could still see, in all tables, not only in those that it reads. Dumps and"
                " backups are not counted."
            ),
            diagnosis=(
                _OPEN + "\nIs it a migration, a report somebody runs by hand, or a task whose"
                " worker died? A migration that waits (`waits_for` not empty) blocks everybody"
                " behind it."
            ),
            mitigation=(
                "Stop the statement, and if the session stays, the session:\n\n```sql\n"
                "SELECT pg_cancel_backend(PID);\nSELECT pg_terminate_backend(PID);\n```\n"
                "Never `kill -9` a backend: PostgreSQL then restarts all sessions. A migration"
                " that must run long: run it in small batches, with `SET lock_timeout = '5s'`."
            ),
        ),
        cases=(
            *around(
                limit,
                lambda v: {series(): steady(v)},
                lambda v: Fired(
                    SERVED, f"A transaction has been open for {duration(v)} on postgres"
                ),
            ),
            Case("autovacuum takes its time", {series("autovacuum worker"): "9e3x9"}, MINUTE),
            Case("a dump", {series(application="pg_dump"): "9e3x9"}, MINUTE),
            Case("a backup", {series(application="pgBackRest [backup]"): "9e3x9"}, MINUTE),
        ),
    )


def _deadlocks(where: Place) -> Alert:
    series = 'pg_stat_database_deadlocks{env="local",service="postgres",datname="analytic_bot"}'
    limit, window = 2.0, 10 * MINUTE
    return Alert(
        name="PostgresDeadlocks",
        group=GROUP,
        severity="warning",
        expr=("sum by (env, service) (increase(pg_stat_database_deadlocks[10m])) > {threshold}"),
        threshold=limit,
        unit="deadlocks in 10 minutes",
        reason="One deadlock is bad luck and is retried; a third in ten minutes is a pattern.",
        summary="{{ $value | humanize }} deadlocks in 10 minutes on {{ $labels.service }}",
        impact="Requests and tasks fail with `deadlock detected` after deadlock_timeout.",
        labels=where.labels("locks", "errors"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "Transactions took the same rows in opposite order. PostgreSQL ends one of each"
                " pair; its client gets an error and must try again."
            ),
            diagnosis=(
                "The server's log names both statements and the rows:\n\n```\n"
                "abops stack logs postgres -n 500 | grep -A 8 'deadlock detected'\n```\n"
                "Two kinds of statement: two pieces of code lock in different order. Twice the"
                " same: a bulk UPDATE without ORDER BY, or the same task run twice."
            ),
            mitigation=(
                "If it began with a deploy, roll that back. If one task causes it, run fewer of it"
                " at a time until it is mended:\n\n```\n"
                "celery -A infra.celery.celery_app control pool_shrink 2\n```\n"
                "The repair: lock in one order (`SELECT ... ORDER BY id FOR UPDATE`, `FOR UPDATE"
                " SKIP LOCKED` for queues). Do not raise deadlock_timeout: it only takes longer"
                " until the same end."
            ),
        ),
        cases=around(
            limit,
            lambda v: {series: rising(v * STEP / window)},
            lambda v: Fired(SERVED, f"{amount(v)} deadlocks in 10 minutes on postgres"),
            timing=Timing(warm=window),
        ),
    )


def _blocked(where: Place) -> Alert:
    limit = 60.0
    return Alert(
        name="PostgresBlockedQueries",
        group=GROUP,
        severity="warning",
        expr="max by (env) (abops_pg_oldest_block_seconds) > {threshold}",
        threshold=limit,
        unit="seconds",
        reason="The pools give up after 30 s: whoever waits for 60 s holds up a migration or task.",
        summary="A session has waited for a lock for {{ $value | humanizeDuration }}",
        impact="Everybody who needs the same table queues behind it; pools fill, the API hangs.",
        labels=where.own_labels("locks", "latency"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "A session waits for a lock that another one keeps. Waiters queue: behind an ALTER"
                " TABLE that waits, even plain SELECTs on this table wait."
            ),
            diagnosis=(
                "Who blocks whom; the root is the one who waits for nobody:\n\n```sql\n"
                "SELECT a.pid, pg_blocking_pids(a.pid) AS waits_for, a.application_name, a.state,\n"
                "       now() - a.xact_start AS open_for, left(a.query, 80) AS query\n"
                "  FROM pg_stat_activity a\n"
                " WHERE cardinality(pg_blocking_pids(a.pid)) > 0 OR a.pid IN (SELECT unnest(\n"
                "       pg_blocking_pids(b.pid)) FROM pg_stat_activity b)\n"
                " ORDER BY a.xact_start;\n```"
            ),
            mitigation=(
                "End the root, not the waiters:\n\n```sql\nSELECT pg_cancel_backend(ROOT_PID);\n"
                "SELECT pg_terminate_backend(ROOT_PID);  -- if it is idle in transaction\n```\n"
                "If the first waiter is a migration (ALTER, CREATE INDEX without CONCURRENTLY),"
                " cancel the migration instead: the others go on at once. Start it again with"
                " `SET lock_timeout = '5s'`."
            ),
        ),
        cases=around(
            limit,
            lambda v: {'abops_pg_oldest_block_seconds{env="local"}': steady(v)},
            lambda v: Fired({"env": "local"}, f"A session has waited for a lock for {duration(v)}"),
        ),
    )
