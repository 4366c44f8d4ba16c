"""PostgreSQL through SQLAlchemy, and Redis: how long operations take, how full the pool is.

The operation is the first word of the statement and nothing more of it: SQL holds people's
data. SQLAlchemy tells about cursors by events; it does not tell about those who wait for a
connection, so the pool's `connect` is wrapped.
"""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from inspect import iscoroutinefunction
from time import perf_counter
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind
from prometheus_client import REGISTRY, CollectorRegistry

from abops_instrument import tracing
from abops_instrument.series import families
from abops_instrument.tracing import client_span

_OPERATIONS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "COPY", "CALL"})
_OTHER = "_OTHER"
_STARTED = "abops_started"


@contextmanager
def db_operation(
    system: str, operation: str, registry: CollectorRegistry = REGISTRY
) -> Iterator[None]:
    """Measure one operation on a store, with a span when the work around it has one."""
    durations = _durations(registry)
    started = perf_counter()
    try:
        with client_span(operation, db__system__name=system, db__operation__name=operation):
            yield
    finally:
        durations.labels(system, operation).observe(perf_counter() - started)


def _durations(registry: CollectorRegistry) -> Any:  # noqa: ANN401 - a Family of Histogram
    return families(registry).histogram(
        "db_client_operation_duration_seconds",
        "Time an operation on a store took.",
        ("db_system_name", "db_operation_name"),
    )


def instrument_engine(engine: Any, registry: CollectorRegistry = REGISTRY) -> None:  # noqa: ANN401
    """Measure a SQLAlchemy engine, sync or async: statements and the connection pool."""
    engine = getattr(engine, "sync_engine", engine)
    event: Any = import_module("sqlalchemy.event")
    statements = _Statements(str(engine.dialect.name), registry)
    event.listen(engine, "before_cursor_execute", statements.begin)
    event.listen(engine, "after_cursor_execute", statements.end)
    event.listen(engine, "handle_error", statements.fail)
    pools = _pools(registry)
    pools.add(engine.pool)
    event.listen(engine, "engine_disposed", lambda disposed: pools.add(disposed.pool))


class _Statements:
    """Stands before and behind every cursor."""

    def __init__(self, system: str, registry: CollectorRegistry) -> None:
        self._system = system
        self._durations = _durations(registry)

    def begin(self, connection: Any, _cursor: object, statement: str, *_: object) -> None:  # noqa: ANN401
        word = statement.lstrip()[:8].split(None, 1)[0].upper() if statement.strip() else _OTHER
        operation = word if word in _OPERATIONS else _OTHER
        span: Span | None = None
        if trace.get_current_span().is_recording():
            span = tracing.current().tracer.start_span(
                operation,
                kind=SpanKind.CLIENT,
                attributes={"db.system.name": self._system, "db.operation.name": operation},
            )
        connection.info.setdefault(_STARTED, []).append((perf_counter(), operation, span))

    def end(self, connection: Any, *_: object) -> None:  # noqa: ANN401 - SQLAlchemy's
        self._finish(connection, None)

    def fail(self, context: Any) -> None:  # noqa: ANN401 - SQLAlchemy's ExceptionContext
        if context.connection is not None:
            self._finish(context.connection, context.original_exception)

    def _finish(self, connection: Any, error: BaseException | None) -> None:  # noqa: ANN401
        waiting = connection.info.get(_STARTED)
        if not waiting:
            return  # failed before a cursor was there: no connection, a bad parameter
        started, operation, span = waiting.pop()
        self._durations.labels(self._system, operation).observe(perf_counter() - started)
        if span is not None:
            tracing.finish(span, error=error)


class _Pools:
    """All connection pools of a process, added up."""

    def __init__(self, registry: CollectorRegistry) -> None:
        made = families(registry)
        self._pools: weakref.WeakSet[Any] = weakref.WeakSet()
        count = made.gauge(
            "db_client_connection_count", "Connections of the pool by state.", ("state",)
        )
        count.labels("used").set_function(lambda: self._sum("checkedout"))
        count.labels("idle").set_function(lambda: self._sum("checkedin"))
        made.gauge(
            "db_client_connection_max", "Connections the pool may open, overflow included."
        ).labels().set_function(self._max)
        self._pending = made.gauge(
            "db_client_connection_pending_requests", "Requests that wait for a connection."
        ).labels()
        self._timeouts = made.counter(
            "db_client_connection_timeouts_total", "Requests that waited in vain."
        ).labels()

    def add(self, pool: Any) -> None:  # noqa: ANN401 - a SQLAlchemy pool
        """Watch `pool` too."""
        if pool in self._pools:
            return
        self._pools.add(pool)
        # Not the bound method: it would keep the pool alive from within itself.
        connect, reference = type(pool).connect, weakref.ref(pool)

        def waiting() -> Any:  # noqa: ANN401 - a pooled connection
            self._pending.inc()
            try:
                return connect(reference())
            except Exception as error:
                if type(error).__name__ == "TimeoutError":
                    self._timeouts.inc()
                raise
            finally:
                self._pending.dec()

        pool.connect = waiting

    def _sum(self, method: str) -> float:
        return float(sum(getattr(pool, method)() for pool in self._pools if hasattr(pool, method)))

    def _max(self) -> float:
        return float(
            sum(
                pool.size() + max(0, getattr(pool, "_max_overflow", 0))
                for pool in self._pools
                if hasattr(pool, "size")
            )
        )


_by_registry: dict[CollectorRegistry, _Pools] = {}


def _pools(registry: CollectorRegistry) -> _Pools:
    found = _by_registry.get(registry)
    if found is None:
        found = _by_registry[registry] = _Pools(registry)
    return found


def instrument_redis(client: Any, registry: CollectorRegistry = REGISTRY) -> None:  # noqa: ANN401
    """Measure the commands of a redis-py client, sync or asyncio."""
    execute = client.execute_command

    if iscoroutinefunction(execute):

        async def execute_async(*args: Any, **options: Any) -> Any:  # noqa: ANN401
            with db_operation("redis", _command(args), registry):
                return await execute(*args, **options)

        client.execute_command = execute_async
        return

    def execute_sync(*args: Any, **options: Any) -> Any:  # noqa: ANN401
        with db_operation("redis", _command(args), registry):
            return execute(*args, **options)

    client.execute_command = execute_sync


def _command(args: tuple[Any, ...]) -> str:
    return str(args[0]).split(" ", 1)[0].upper() if args else _OTHER
