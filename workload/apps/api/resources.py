"""What the api holds while it runs: a pool of connections, a cache, perhaps some faults."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Annotated, Self

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncConnection

from abops_instrument.stores import instrument_engine
from apps.api.cache import Cache
from apps.api.queueing import QueueClient
from apps.api.tokens import TokenSigner
from apps.faults import switches
from apps.settings import Settings
from apps.storage.engines import async_engine


class Resources:
    """Opened when the service starts; nothing in here needs a store to be up."""

    def __init__(self, config: Settings) -> None:
        self.config = config
        self.engine = async_engine(config)
        self.cache = Cache(config.redis_url)
        self.queue = QueueClient()
        self.tokens = TokenSigner(config.api_secret)
        self._faults: asyncio.Task[None] | None = None
        instrument_engine(self.engine)

    async def __aenter__(self) -> Self:
        """Begin."""
        if self.config.faults_enabled:
            from apps.api.fault_effects import effects  # noqa: PLC0415 - never in production

            self._faults = asyncio.create_task(effects(self.engine, self.config))
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Let everything go."""
        if self._faults is not None:
            self._faults.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._faults
        self.queue.close()
        await self.cache.close()
        await self.engine.dispose()


def _resources(request: Request) -> Resources:
    resources: Resources = request.app.state.resources
    return resources


Held = Annotated[Resources, Depends(_resources)]


async def _connection(resources: Held) -> AsyncIterator[AsyncConnection]:
    """Lend a connection for one request; what it wrote is committed when the handler is done."""
    async with resources.engine.begin() as connection:
        slow = switches().hits("db_slow")
        if slow is not None:
            await connection.exec_driver_sql(f"SELECT pg_sleep({slow.number('delay_s', 1.0):f})")
        yield connection


Database = Annotated[AsyncConnection, Depends(_connection, scope="function")]
