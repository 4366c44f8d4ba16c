import threading
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import QueuePool

from abops_instrument import tracing
from abops_instrument.stores import instrument_engine, instrument_redis
from abops_instrument.tracing import Tracing
from abops_instrument.work import working

OPERATIONS = "db_client_operation_duration_seconds_count"


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def engine(registry: CollectorRegistry) -> Iterator[Engine]:
    engine = create_engine(
        "sqlite://",
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=1,
        pool_timeout=0.05,
        connect_args={"check_same_thread": False},
    )
    instrument_engine(engine, registry)
    yield engine
    engine.dispose()


def counted(registry: CollectorRegistry, operation: str, system: str = "sqlite") -> float:
    labels = {"db_system_name": system, "db_operation_name": operation}
    return registry.get_sample_value(OPERATIONS, labels) or 0.0


def test_statements_count_under_their_first_word(
    engine: Engine, registry: CollectorRegistry
) -> None:
    with engine.begin() as connection:
        connection.execute(text("  select 1"))
        connection.execute(text("SELECT 2"))
        connection.execute(text("CREATE TABLE t (secret TEXT)"))
        connection.execute(text("INSERT INTO t VALUES ('x')"))
    assert (2, 1, 1) == tuple(counted(registry, name) for name in ("SELECT", "INSERT", "_OTHER"))


def test_a_statement_that_fails_counts_and_leaves_nothing_open(
    engine: Engine, registry: CollectorRegistry
) -> None:
    for _ in range(2):
        with engine.connect() as connection:
            with pytest.raises(OperationalError):
                connection.execute(text("SELECT * FROM nowhere"))
            connection.execute(text("SELECT 1"))
            assert [] == connection.info["abops_started"]
    assert 4 == counted(registry, "SELECT")


def test_the_pool_tells_who_uses_it_and_who_waits_in_vain(
    engine: Engine, registry: CollectorRegistry
) -> None:
    def gauge(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"db_client_connection_{name}", labels)

    assert 2 == gauge("max")
    with engine.connect(), engine.connect():
        assert (2, 0) == (gauge("count", state="used"), gauge("count", state="idle"))
        with pytest.raises(PoolTimeoutError):
            engine.connect()
    assert (0, 1) == (gauge("count", state="used"), gauge("count", state="idle"))
    assert (1, 0) == (gauge("timeouts_total"), gauge("pending_requests"))


def test_those_who_wait_for_a_connection_are_counted(registry: CollectorRegistry) -> None:
    pool_engine = create_engine(
        "sqlite://", poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=30
    )
    instrument_engine(pool_engine, registry)
    held = pool_engine.connect()
    waiter = threading.Thread(target=lambda: pool_engine.connect().close())
    waiter.start()
    while registry.get_sample_value("db_client_connection_pending_requests") != 1:
        waiter.join(0.01)
    held.invalidate()  # sqlite's connections stay with their thread; a new one is made
    held.close()
    waiter.join(10)
    assert 0 == registry.get_sample_value("db_client_connection_pending_requests")
    pool_engine.dispose()


def test_a_disposed_engines_new_pool_is_watched(
    engine: Engine, registry: CollectorRegistry
) -> None:
    engine.dispose()
    with engine.connect():
        used = registry.get_sample_value("db_client_connection_count", {"state": "used"})
        assert 1 == used


def test_spans_name_the_operation_and_hold_no_sql(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter = InMemorySpanExporter()
    process = Tracing(sample_ratio=1.0, exporter=exporter, registry=CollectorRegistry())
    monkeypatch.setattr(tracing, "_current", process)
    with working("tick"), engine.connect() as connection:
        connection.execute(text("SELECT 'secret'"))
        with pytest.raises(OperationalError):
            connection.execute(text("SELECT * FROM nowhere"))
    process.flush()
    good, bad, parent = exporter.get_finished_spans()
    assert {"db.system.name": "sqlite", "db.operation.name": "SELECT"} == dict(
        good.attributes or {}
    )
    assert (StatusCode.ERROR, "OperationalError") == (
        bad.status.status_code,
        (bad.attributes or {})["error.type"],
    )
    assert good.parent == parent.context
    assert "secret" not in good.to_json()


class Cache:
    """What redis-py's two clients have in common."""

    def execute_command(self, *_: str) -> str:
        return "PONG"


class AsyncCache:
    async def execute_command(self, *_: str) -> str:
        raise ConnectionError


def test_redis_commands_count_by_name(registry: CollectorRegistry) -> None:
    cache = Cache()
    instrument_redis(cache, registry)
    assert "PONG" == cache.execute_command("ping")
    cache.execute_command("CLIENT SETINFO", "x")
    assert (1, 1) == (counted(registry, "PING", "redis"), counted(registry, "CLIENT", "redis"))


async def test_asyncio_redis_commands_count_also_when_they_fail(
    registry: CollectorRegistry,
) -> None:
    cache = AsyncCache()
    instrument_redis(cache, registry)
    with pytest.raises(ConnectionError):
        await cache.execute_command("GET", "key")
    assert 1 == counted(registry, "GET", "redis")
