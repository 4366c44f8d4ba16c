"""What the writer's thread is handed, and how it is answered."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from abops.alerts.model import AlertEvent
from abops.alerts.store.database import StoreUnavailableError, reason_of
from abops.alerts.store.unit import Unit
from abops.kernel.errors import OpsError

_T = TypeVar("_T")


@dataclass(slots=True)
class Intake:
    """Alerts to be stored."""

    events: Sequence[AlertEvent]
    rejected: Sequence[tuple[int | None, str, bytes]]
    source: str
    done: "Future[int]" = field(default_factory=Future)

    def answer(self, count: int) -> None:
        """Say how many were new."""
        if not self.done.cancelled():  # whoever sent it may have gone
            self.done.set_result(count)

    def fail(self, error: Exception) -> None:
        """Say why they are not stored."""
        if not self.done.cancelled():
            self.done.set_exception(error)


@dataclass(slots=True)
class Task(Generic[_T]):
    """Work to be done in a transaction."""

    work: Callable[[Unit], _T]
    anywhere: bool
    """Whether it needs no state in memory, so that a replica that does not lead may do it."""
    done: "Future[_T]" = field(default_factory=Future)

    def attempt(self, unit: Unit) -> Callable[[], None]:
        """Do it and return how to answer after the commit.

        What the work refuses is its caller's; anything else fails the transaction.
        """
        try:
            result = self.work(unit)
        except OpsError as refusal:
            error = refusal
            return lambda: self.done.set_exception(error)
        return lambda: self.done.set_result(result)


def unavailable(error: Exception) -> StoreUnavailableError:
    """Return what a caller is told when something could not be written."""
    return StoreUnavailableError(f"the alert store cannot be written: {reason_of(error)}")
