"""What the fault switches do to the api. Loaded only with WORKLOAD_FAULTS=1."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AsyncExitStack
from typing import Any, Self

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from apps.fault_process import ProcessFaults
from apps.faults import Fault, switches
from apps.settings import Settings
from apps.storage.engines import async_engine

log = logging.getLogger("api.app")
LOOK_EVERY_S = 0.25

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class InjectedError(Exception):
    """A fault switch made this request fail."""


class FaultMiddleware:
    """Breaks requests to /api as the switches say; health and metrics stay true."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or break it."""
        if scope["type"] != "http" or not scope["path"].startswith("/api/"):
            await self._app(scope, receive, send)
            return
        late = switches().hits("latency")
        if late is not None:
            await asyncio.sleep(late.number("delay_s", 2.0))
        if switches().hits("exception") is not None:
            raise InjectedError("raised on purpose")
        if switches().hits("errors") is not None:
            body = b'{"error":{"code":"injected","message":"broken on purpose"}}'
            headers = [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
            ]
            await send({"type": "http.response.start", "status": 500, "headers": headers})
            await send({"type": "http.response.body", "body": body})
            return
        await self._app(scope, receive, send)


async def effects(engine: AsyncEngine, config: Settings) -> None:
    """Keep those faults going that no single request shows, until cancelled."""
    async with AsyncExitStack() as stack:
        locks = await stack.enter_async_context(_Held("db_locks", lambda held: _lock(held, config)))
        pool = await stack.enter_async_context(
            _Held("pool_exhaust", lambda held: _take_pool(held, engine, config))
        )
        process = ProcessFaults("api")
        burst = 0.0
        while True:
            process.act()
            burst = _log_burst(burst)
            await locks.follow()
            await pool.follow()
            await asyncio.sleep(LOOK_EVERY_S)


class _Held:
    """Something that is held while a switch is on."""

    def __init__(self, name: str, take: Callable[[AsyncExitStack], Awaitable[None]]) -> None:
        self._name = name
        self._take = take
        self._held: AsyncExitStack | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._let_go()

    async def follow(self) -> None:
        """Take or let go as the switch says; try again later when the database is away."""
        on = switches().active(self._name) is not None
        if on and self._held is None:
            held = AsyncExitStack()
            try:
                await self._take(held)
            except (OSError, SQLAlchemyError) as error:
                log.warning("fault %s could not begin: %s", self._name, type(error).__name__)
                await held.aclose()
            else:
                self._held = held
        elif not on:
            await self._let_go()

    async def _let_go(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            with contextlib.suppress(OSError, SQLAlchemyError):
                await held.aclose()


async def _lock(held: AsyncExitStack, config: Settings) -> None:
    engine = async_engine(config)
    held.push_async_callback(engine.dispose)
    connection = await held.enter_async_context(engine.connect())
    await connection.execute(text("SET application_name = 'fault db_locks'"))
    await connection.execute(text("LOCK TABLE channels IN ACCESS EXCLUSIVE MODE"))


async def _take_pool(held: AsyncExitStack, engine: AsyncEngine, config: Settings) -> None:
    for _ in range(config.db_pool_size + config.db_max_overflow):
        try:
            async with asyncio.timeout(1):
                await held.enter_async_context(engine.connect())
        except TimeoutError:
            return  # requests hold the rest


def _log_burst(owed: float) -> float:
    """Log as many lines as are owed for one round; return the rest."""
    fault: Fault | None = switches().active("log_burst")
    if fault is None:
        return 0.0
    owed += fault.number("lines_per_s", 500) * LOOK_EVERY_S
    for _ in range(int(owed)):
        log.info("a line of the burst")
    return owed - int(owed)
