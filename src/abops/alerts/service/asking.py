"""Asking the replica that leads, through the database, and waiting for its answer.

What is asked for is on disk before the wait begins, so it outlives this process and that one.
Who has waited long enough takes it back: then it was not done, for certain.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from abops.alerts.service.orders import Order, encode, error_of
from abops.alerts.store import commands
from abops.alerts.store.commands import Answer
from abops.alerts.store.database import Connection, StoreUnavailableError
from abops.alerts.store.unit import Unit

if TYPE_CHECKING:
    from abops.alerts.store.writer import Writer

WAIT_S: Final = 8.0
"""Seconds for an answer: a hand-over takes two."""
LOOK_EVERY_S: Final = 0.5
"""Seconds between two looks for an answer whose notice did not come."""
_T = TypeVar("_T")


class Asking:
    """The questions of this process that are not answered yet; only the event loop uses it."""

    def __init__(self, writer: "Writer", say: Callable[[Connection], None]) -> None:
        self._writer = writer
        self._say = say
        self._open: dict[int, asyncio.Event] = {}

    def answered(self, numbers: Iterable[int]) -> None:
        """Note that there are answers."""
        for number in numbers:
            if number in self._open:
                self._open[number].set()

    async def ask(self, order: Order[_T], *given: Any) -> _T:  # noqa: ANN401 - the order's
        """Have it done and return what came of it; raises what it refuses with."""
        arguments = encode(given)

        def ask(unit: Unit) -> int:
            number = commands.ask(unit.connection, order.name, arguments, at=unit.now)
            self._say(unit.connection)
            return number

        number = await asyncio.wrap_future(self._writer.do(ask, anywhere=True))
        answer = await self._answer(number)
        if not answer.done:
            raise error_of(answer.content)
        return order.result(answer.content)

    async def _answer(self, number: int) -> Answer:
        come = self._open[number] = asyncio.Event()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + WAIT_S
        try:
            while loop.time() < deadline:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY_S):
                        await come.wait()
                come.clear()
                found = await asyncio.wrap_future(
                    self._writer.do(partial(_take, number), anywhere=True)
                )
                if found is not None:
                    return found
            return await self._give_up(number)
        finally:
            del self._open[number]

    async def _give_up(self, number: int) -> Answer:
        def give_up(unit: Unit) -> Answer | None:
            if commands.take_back(unit.connection, number):
                return None
            return commands.take_answer(unit.connection, number)

        found = await asyncio.wrap_future(self._writer.do(give_up, anywhere=True))
        if found is None:
            raise StoreUnavailableError(
                "no replica of the alert service leads now; nothing was done",
                hint="Try again in a few seconds. If it stays so, see the replicas' logs.",
            )
        return found


def _take(number: int, unit: Unit) -> Answer | None:
    return commands.take_answer(unit.connection, number)
