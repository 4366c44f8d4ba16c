"""The exporter's figures about PostgreSQL, from a real server and a role that only monitors."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from abops.clients.postgres import PostgresReader
from abops.observability.business import Sample
from abops.observability.postgres_stats import SLOWLY, PostgresStatistics
from support.servers import Postgres, start_postgres, wait_until

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MONITOR = "monitor"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with start_postgres(tmp_path_factory.mktemp("postgres")) as running:
        with psycopg.connect(running.dsn(), autocommit=True) as admin:
            admin.execute("CREATE EXTENSION pg_stat_statements")
            admin.execute(f"CREATE ROLE {MONITOR} LOGIN PASSWORD '{MONITOR}'".encode())
            admin.execute(f"GRANT pg_monitor TO {MONITOR}".encode())
        yield running


@pytest.fixture
def admin(server: Postgres) -> Iterator[psycopg.Connection]:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        yield connection


@pytest.fixture
def statistics(server: Postgres) -> Iterator[PostgresStatistics]:
    reader = PostgresReader(f"postgresql://{MONITOR}:{MONITOR}@127.0.0.1:{server.port}/postgres")
    yield PostgresStatistics(reader)
    reader.close()


def values(samples: list[Sample], metric: str) -> dict[tuple[str, ...], float]:
    return {sample.labels: sample.value for sample in samples if sample.metric == metric}


def test_a_role_that_monitors_reads_every_figure_a_server_of_its_own_has(
    statistics: PostgresStatistics, admin: psycopg.Connection
) -> None:
    admin.execute("CREATE TABLE IF NOT EXISTS posts (id int)")

    found = {sample.metric.removeprefix("abops_pg_") for sample in statistics.read(NOON)}

    assert {
        "start_time_seconds",
        "xid_age",
        "mxid_age",
        "blocked_backends",
        "oldest_block_seconds",
        "replicas",
        "checkpoints_total",
        "wal_bytes_total",
        "live_tuples",
        "dead_tuples",
        "autovacuum_due_tuples",
        "last_autovacuum_timestamp_seconds",
        "invalid_indexes",
        "statement_mean_seconds",
        "statement_seconds_total",
        "statement_calls_total",
    } == found


def test_a_session_that_waits_for_a_lock_is_counted(
    statistics: PostgresStatistics, server: Postgres, admin: psycopg.Connection
) -> None:
    admin.execute("CREATE TABLE locked (id int)")
    holder, waiter = psycopg.connect(server.dsn()), psycopg.connect(server.dsn())
    holder.execute("LOCK TABLE locked")
    waiting = threading.Thread(target=waiter.execute, args=("SELECT FROM locked",))
    waiting.start()

    def blocked() -> tuple[float, float]:
        samples = statistics.read(NOON)
        return (
            values(samples, "abops_pg_blocked_backends")[()],
            values(samples, "abops_pg_oldest_block_seconds")[()],
        )

    try:
        wait_until(lambda: blocked()[0] == 1 and blocked()[1] > 0, what="one blocked session")
    finally:
        holder.rollback()
        waiting.join()
        holder.close()
        waiter.close()

    assert (0.0, 0.0) == blocked()


def test_dead_rows_and_when_autovacuum_comes_follow_the_tables_own_settings(
    statistics: PostgresStatistics, admin: psycopg.Connection
) -> None:
    admin.execute(
        "CREATE TABLE churned (id int) WITH (autovacuum_enabled = off,"
        " autovacuum_vacuum_threshold = 7, autovacuum_vacuum_scale_factor = 0.5)"
    )
    admin.execute("INSERT INTO churned SELECT generate_series(1, 1000)")
    admin.execute("SELECT pg_stat_force_next_flush()")
    admin.execute("ANALYZE churned")
    admin.execute("DELETE FROM churned WHERE id <= 400")
    admin.execute("SELECT pg_stat_force_next_flush()")
    table = ("public", "churned")
    wait_until(
        lambda: values(_fresh(statistics), "abops_pg_dead_tuples").get(table) == 400,
        what="the deleted rows in the statistics",
    )

    samples = _fresh(statistics)

    assert 600.0 == values(samples, "abops_pg_live_tuples")[table]
    assert 507.0 == values(samples, "abops_pg_autovacuum_due_tuples")[table]
    assert 0.0 == values(samples, "abops_pg_last_autovacuum_timestamp_seconds")[table]


def _fresh(statistics: PostgresStatistics) -> list[Sample]:
    """Read as a source that has just started: what is slow as well."""
    return PostgresStatistics(statistics._reader).read(NOON)  # noqa: SLF001 - the same connection


def test_an_emptied_table_and_its_index_are_bloated_where_the_role_may_read(
    statistics: PostgresStatistics, admin: psycopg.Connection
) -> None:
    admin.execute("CREATE TABLE posted (id bigint PRIMARY KEY, text text)")
    admin.execute("INSERT INTO posted SELECT i, repeat('x', 200) FROM generate_series(1, 60000) i")
    admin.execute(f"GRANT SELECT ON posted TO {MONITOR}".encode())
    admin.execute("VACUUM ANALYZE posted")
    table, index = ("public", "posted"), ("public", "posted", "posted_pkey")
    full = _fresh(statistics)
    # Every tenth row stays, so that vacuum can neither cut the table nor free a page of the index.
    admin.execute("DELETE FROM posted WHERE id % 10 > 0")
    admin.execute("VACUUM ANALYZE posted")

    emptied = _fresh(statistics)

    def ratio(samples: list[Sample]) -> tuple[float, float]:
        tables = values(samples, "abops_pg_table_bloat_ratio")
        return tables[table], values(samples, "abops_pg_index_bloat_ratio")[index]

    assert pytest.approx((0, 0), abs=0.05) == ratio(full)
    assert pytest.approx((0.9, 0.9), abs=0.05) == ratio(emptied)
    sizes = admin.execute("SELECT pg_relation_size('posted'), pg_relation_size('posted_pkey')")
    assert sizes.fetchall()[0] == (
        values(emptied, "abops_pg_table_bytes")[table],
        values(emptied, "abops_pg_index_bytes")[index],
    )
    admin.execute("DROP TABLE posted")


def test_an_index_that_failed_halfway_is_counted(
    statistics: PostgresStatistics, admin: psycopg.Connection
) -> None:
    admin.execute("CREATE TABLE twice (id int)")
    admin.execute("INSERT INTO twice VALUES (1), (1)")
    assert {(): 0.0} == values(_fresh(statistics), "abops_pg_invalid_indexes")
    with pytest.raises(psycopg.errors.UniqueViolation):
        admin.execute("CREATE UNIQUE INDEX CONCURRENTLY twice_id ON twice (id)")

    assert {(): 1.0} == values(_fresh(statistics), "abops_pg_invalid_indexes")

    admin.execute("DROP TABLE twice")


def test_a_slot_that_nobody_reads_is_not_active_and_its_room_shrinks(
    statistics: PostgresStatistics, admin: psycopg.Connection
) -> None:
    admin.execute("SELECT pg_create_physical_replication_slot('gone', true)")
    slot = ("gone",)
    assert {} == values(statistics.read(NOON), "abops_pg_slot_safe_wal_bytes")
    admin.execute("ALTER SYSTEM SET max_slot_wal_keep_size = '1GB'")
    admin.execute("SELECT pg_reload_conf()")

    def room() -> float:
        return values(statistics.read(NOON), "abops_pg_slot_safe_wal_bytes").get(slot, -1)

    wait_until(lambda: room() > 0, what="the limit to be read")
    before = room()
    admin.execute("CREATE TABLE big AS SELECT repeat('x', 500) FROM generate_series(1, 50000)")

    assert 0.0 == values(statistics.read(NOON), "abops_pg_slot_active")[slot]
    assert room() < before

    admin.execute("SELECT pg_drop_replication_slot('gone')")
    assert {} == values(statistics.read(NOON), "abops_pg_slot_active")


def test_the_costliest_statements_are_named_by_their_query_id_alone(
    statistics: PostgresStatistics, admin: psycopg.Connection
) -> None:
    admin.execute("SELECT pg_stat_statements_reset()")
    for _ in range(3):
        admin.execute("SELECT pg_sleep(0.02)")
    (queryid,) = admin.execute(
        "SELECT queryid FROM pg_stat_statements WHERE query LIKE 'SELECT pg_sleep%'"
    ).fetchall()[0]

    samples = _fresh(statistics)

    label = (str(queryid),)
    assert 3.0 == values(samples, "abops_pg_statement_calls_total")[label]
    assert values(samples, "abops_pg_statement_seconds_total")[label] >= 0.06
    assert values(samples, "abops_pg_statement_mean_seconds")[label] >= 0.02


def test_without_the_extension_everything_else_is_read(
    server: Postgres, admin: psycopg.Connection
) -> None:
    admin.execute("CREATE DATABASE plain")
    address = f"postgresql://{MONITOR}:{MONITOR}@127.0.0.1:{server.port}/plain"
    reader = PostgresReader(address)

    samples = PostgresStatistics(reader).read(NOON)
    reader.close()

    assert {} == values(samples, "abops_pg_statement_calls_total")
    assert {("plain",)} <= values(samples, "abops_pg_xid_age").keys()


def test_what_costs_a_look_at_the_whole_catalogue_is_read_once_a_minute(
    statistics: PostgresStatistics, admin: psycopg.Connection
) -> None:
    first = values(statistics.read(NOON), "abops_pg_live_tuples")
    admin.execute("CREATE TABLE added (id int)")
    soon = values(statistics.read(NOON + SLOWLY - timedelta(seconds=1)), "abops_pg_live_tuples")
    later = values(statistics.read(NOON + SLOWLY), "abops_pg_live_tuples")

    assert first == soon
    assert {*first, ("public", "added")} == set(later)
