"""The store as coroutines: writes go to the one writer's thread, reads to a few others."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from abops.alerts.model import AlertEvent, IncidentDetail, IncidentSummary, ServiceSettings
from abops.alerts.service.incidents import Incidents
from abops.alerts.service.memory import IncidentUnknownError
from abops.alerts.store import outbox, reading
from abops.alerts.store.database import (
    Connection,
    StoreUnavailableError,
    migrate,
    open_readers,
    open_writer,
)
from abops.alerts.store.meta import ensure_instance
from abops.alerts.store.writer import Unit, Writer
from abops.kernel.clock import Clock
from abops.kernel.errors import OpsError

FILE: Final = "alerts.db"
COMMIT_TIMEOUT_S: Final = 5.0
"""Seconds after which a sender is told to come back, though its alerts may yet be stored."""
_READERS: Final = 3
_T = TypeVar("_T")


class OverloadedError(OpsError):
    """More alerts wait to be stored than the service takes on."""

    hint = "Send the same body again after the time in Retry-After; nothing is stored twice."
    retry_after_s = 2


class Vault:
    """What the coroutines of the service know of the store."""

    def __init__(
        self,
        folder: Path,
        settings: ServiceSettings,
        incidents: Incidents,
        clock: Clock,
        announce: Callable[[Unit], None],
    ) -> None:
        self._path = folder / FILE
        self._settings = settings
        self._clock = clock
        self._state = incidents
        self._announce = announce
        self._threads = ThreadPoolExecutor(_READERS, thread_name_prefix="alert-reader")
        self.instance = 0
        """Sets this store's incidents apart from any other's."""
        self.pages_in_doubt = 0
        """Pages that were being sent when the service died."""

    def open(self) -> None:
        """Open the store, bring its schema up, read the state, begin to write."""
        engine = open_writer(self._path)
        migrate(engine)
        with engine.begin() as connection:
            self.instance = ensure_instance(connection, secrets.randbits(32))
            now = self._clock.now().timestamp()
            self.pages_in_doubt = outbox.take_back(connection, now)
        self._readers = open_readers(self._path)
        self._engine = engine
        self._writer = Writer(engine, self._state, self._clock, self._announce)
        self._writer.start()

    def close(self) -> None:
        """Write what is queued and close the files."""
        self._writer.stop()
        self._threads.shutdown(wait=True)
        self._readers.dispose()
        self._engine.dispose()

    async def store(
        self,
        events: Sequence[AlertEvent],
        rejected: Sequence[tuple[int | None, str, bytes]] = (),
        *,
        source: str = "alertmanager",
    ) -> int:
        """Commit events and return how many were new; raises when they cannot be taken now."""
        if reasons := self.trouble():
            raise OverloadedError(f"alerts cannot be stored now: {reasons[0]}")
        future = asyncio.wrap_future(self._writer.store(events, rejected, source=source))
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT_S):
                return await asyncio.shield(future)
        except TimeoutError as error:
            future.add_done_callback(_let_go)
            raise OverloadedError("the store did not commit in time") from error

    async def write(self, work: Callable[[Unit], _T]) -> _T:
        """Run `work` in the next transaction."""
        return await asyncio.wrap_future(self._writer.do(work))

    async def read(self, query: Callable[[Connection], _T]) -> _T:
        """Run a query on what is committed."""

        def run() -> _T:
            with self._readers.connect() as connection:
                return query(connection)

        return await asyncio.get_running_loop().run_in_executor(self._threads, run)

    async def incident(self, number: int, *, members: int) -> IncidentDetail:
        """Return one incident; raises IncidentUnknownError."""
        found = await self.read(lambda c: reading.incident(c, number, members=members))
        if found is None:
            raise IncidentUnknownError(f"there is no incident {number}")
        return found

    async def summary(self, number: int) -> IncidentSummary:
        """Return the line of one incident; raises IncidentUnknownError."""
        found = await self.read(lambda c: reading.summary(c, number))
        if found is None:
            raise IncidentUnknownError(f"there is no incident {number}")
        return found

    def trouble(self) -> tuple[str, ...]:
        """Say why alerts cannot be stored now; empty when they can."""
        reasons = []
        if self._writer.queued > self._settings.queue_limit:
            reasons.append(f"{self._writer.queued} alerts wait to be stored")
        if self._writer.busy_s > self._settings.stall_limit_s:
            reasons.append(f"a commit has been running for {self._writer.busy_s:.1f} s")
        if self._writer.failure:
            reasons.append(self._writer.failure)
        return tuple(reasons)

    async def probe(self) -> None:
        """Try to write, so that a store that is well again is noticed."""
        try:
            await self.write(lambda _unit: None)
        except StoreUnavailableError:
            return


def _let_go(future: "asyncio.Future[int]") -> None:
    if not future.cancelled():
        future.exception()
