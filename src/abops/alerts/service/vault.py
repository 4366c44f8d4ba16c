"""The store as coroutines: writes go to the one writer's thread, reads to a few others."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from abops.alerts.model import (
    AlertEvent,
    IncidentDetail,
    IncidentSummary,
    ServiceEvent,
    ServiceSettings,
)
from abops.alerts.service.asking import Asking
from abops.alerts.service.expiry import Expiry
from abops.alerts.service.incidents import Incidents
from abops.alerts.service.memory import IncidentUnknownError
from abops.alerts.service.orders import Order, Orders, refusal_of
from abops.alerts.store import outbox, reading
from abops.alerts.store.database import Connection, StoreUnavailableError, answering, migrate
from abops.alerts.store.meta import ensure_instance
from abops.alerts.store.notices import Listener, Notice
from abops.alerts.store.place import FILE, Place
from abops.alerts.store.sharing import Sharing
from abops.alerts.store.writer import NotLeadingError, Unit, Writer
from abops.kernel.clock import Clock
from abops.kernel.errors import OpsError

__all__ = ["FILE", "OverloadedError", "Vault"]
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

    def __init__(  # noqa: PLR0913 - made in one place, from its parent's parts
        self,
        place: Place,
        settings: ServiceSettings,
        incidents: Incidents,
        expiry: Expiry,
        clock: Clock,
        *,
        announce: Callable[[Unit], None],
        hear: Callable[[Sequence[ServiceEvent]], None],
        lead: Callable[[bool, int], None],
    ) -> None:
        """Describe it; `open` opens it.

        `announce` is called in the writer's thread after each commit, `hear` in the event loop
        when another replica has changed incidents. Where the store is shared, `lead` is called in
        the event loop with whether this replica leads now, and how many pages its predecessor
        may have sent without noting it.
        """
        self.place = place
        self._settings = settings
        self._clock = clock
        self._state = incidents
        self._expiry = expiry
        self._orders = Orders(incidents, expiry)
        self._announce = announce
        self._hear = hear
        self._lead = lead
        self._threads = ThreadPoolExecutor(_READERS, thread_name_prefix="alert-reader")
        self._listener: Listener | None = None
        self._asking: Asking | None = None
        self.replica = secrets.token_hex(8)
        self.instance = 0
        """Sets this store's incidents apart from any other's."""
        self.pages_in_doubt = 0
        """Pages that were being sent when the service died."""

    @property
    def leads(self) -> bool:
        """Whether this process has the state; always, unless replicas share the store."""
        return self._writer.leads

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Open the store, bring its schema up, read the state, begin to write."""
        self._engine = self.place.open_writer()
        migrate(self._engine)
        with answering(), self._engine.begin() as connection:
            self.instance = ensure_instance(connection, secrets.randbits(32))
            if not self.place.shared:
                now = self._clock.now().timestamp()
                self.pages_in_doubt = outbox.take_back(connection, now)
        self._readers = self.place.open_readers()
        sharing = self._sharing(loop) if self.place.shared else None
        self._writer = Writer(self._engine, self._state, self._clock, self._announce, sharing)
        self._writer.start()
        if sharing is not None:
            self._asking = Asking(self._writer, sharing.say_stored)
            self._listen(loop)

    def _sharing(self, loop: asyncio.AbstractEventLoop) -> Sharing:
        def lead(leads: bool, in_doubt: int) -> None:  # noqa: FBT001 - which of two
            loop.call_soon_threadsafe(self._lead, leads, in_doubt)

        return Sharing(
            self.replica,
            self._clock,
            prepare=self._expiry.load,
            carry_out=self._orders.carry_out,
            failure_of=refusal_of,
            changed=lead,
        )

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        def hear(notice: Notice) -> None:
            if notice.work:
                self._writer.look()
            if notice.answered and self._asking:
                loop.call_soon_threadsafe(self._asking.answered, notice.answered)
            if notice.events:
                loop.call_soon_threadsafe(self._hear, notice.events)

        self._listener = Listener(self.place.address, self.replica, hear, self._writer.look)
        self._listener.start()

    def close(self) -> None:
        """Write what is queued and close the files."""
        if self._listener is not None:
            self._listener.stop()
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

    async def write(self, work: Callable[[Unit], _T], *, anywhere: bool = False) -> _T:
        """Run `work` in the next transaction.

        Without `anywhere` it needs the state in memory, and is refused where another replica
        leads; what people ask for goes through `order`.
        """
        try:
            return await asyncio.wrap_future(self._writer.do(work, anywhere=anywhere))
        except NotLeadingError as error:
            raise StoreUnavailableError(str(error), hint=error.hint) from error

    async def order(self, order: Order[_T], *given: Any) -> _T:  # noqa: ANN401 - the order's
        """Have something done by the replica that leads, and return what came of it."""
        if self._asking is None or self.leads:
            work = self._writer.do(lambda unit: self._orders.do(unit, order, *given))
            try:
                return await asyncio.wrap_future(work)
            except NotLeadingError:
                if self._asking is None:
                    raise
        return await self._asking.ask(order, *given)

    async def read(self, query: Callable[[Connection], _T]) -> _T:
        """Run a query on what is committed."""

        def run() -> _T:
            with answering(), self._readers.connect() as connection:
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
            await self.write(lambda _unit: None, anywhere=True)
        except StoreUnavailableError:
            return


def _let_go(future: "asyncio.Future[int]") -> None:
    if not future.cancelled():
        future.exception()
