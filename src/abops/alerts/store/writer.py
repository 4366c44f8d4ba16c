"""The one writer: a thread that owns the one connection that writes.

Events that arrive together are committed together, and only then are their senders told that
they are safe. A second transaction brings the incidents up to them; it also carries whatever
else has to be written. If it fails, the state in memory is read back from the disk and the
events that the incidents do not reflect are taken up again: what was accepted is never lost.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from abops.alerts.model import AlertEvent, ServiceEvent
from abops.alerts.store import events as event_rows
from abops.alerts.store.database import StoreUnavailableError
from abops.kernel.clock import Clock
from abops.kernel.errors import OpsError

FLUSH_ALERTS = 100
FLUSH_AFTER_S = 0.010
BATCH_LIMIT = 1_000
_IDLE_S = 1.0
_log = structlog.get_logger()
_T = TypeVar("_T")
_Job = Any  # an intake, a task of some result type, or None to stop


@dataclass(slots=True)
class Unit:
    """One transaction, and who has to hear of it once it is committed."""

    connection: Connection
    now: float
    events: list[ServiceEvent] = field(default_factory=list)
    channels: set[str] = field(default_factory=set)
    """Channels that have something new in the outbox."""


class State(Protocol):
    """What is kept in memory beside the disk, by the layer above."""

    def load(self, connection: Connection, now: float) -> None:
        """Forget everything and read it from the disk."""
        ...

    def apply(self, unit: Unit, events: Sequence[AlertEvent]) -> None:
        """Bring the incidents up to these events."""
        ...


@dataclass(slots=True)
class _Intake:
    events: Sequence[AlertEvent]
    rejected: Sequence[tuple[int | None, str, bytes]]
    source: str
    done: "Future[int]" = field(default_factory=Future)


@dataclass(slots=True)
class _Task(Generic[_T]):
    work: Callable[[Unit], _T]
    done: "Future[_T]" = field(default_factory=Future)


class Writer:
    """Commits what it is given, in the order in which it was given."""

    def __init__(
        self, engine: Engine, state: State, clock: Clock, announce: Callable[[Unit], None]
    ) -> None:
        self._engine = engine
        self._state = state
        self._clock = clock
        self._announce = announce
        self._jobs: SimpleQueue[_Job] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="alert-writer", daemon=True)
        self._next_id = 1
        self._last_id = 0
        self._stale = True
        self._received = 0
        self._taken = 0
        self._busy_since: float | None = None
        self.failure: str = ""
        """Why the last commit failed; empty after one that did not."""

    @property
    def queued(self) -> int:
        """Alerts that wait to be committed."""
        return self._received - self._taken

    @property
    def busy_s(self) -> float:
        """Seconds for which the current transaction has been running."""
        since = self._busy_since
        return 0.0 if since is None else self._clock.monotonic() - since

    def start(self) -> None:
        """Read the state from the disk and begin to write; raises StoreUnavailableError."""
        try:
            with self._engine.connect() as connection:
                self._next_id = event_rows.last_event_id(connection) + 1
                self._state.load(connection, self._clock.now().timestamp())
        except SQLAlchemyError as error:
            raise _unavailable(error) from error
        self._thread.start()

    def stop(self) -> None:
        """Write what is queued and end the thread."""
        self._jobs.put(None)
        self._thread.join()

    def store(
        self,
        events: Sequence[AlertEvent],
        rejected: Sequence[tuple[int | None, str, bytes]] = (),
        *,
        source: str = "alertmanager",
    ) -> "Future[int]":
        """Commit events; the result is how many of them were new."""
        intake = _Intake(events, rejected, source)
        self._received += len(events)
        self._jobs.put(intake)
        return intake.done

    def do(self, work: Callable[[Unit], _T]) -> "Future[_T]":
        """Run `work` in the next transaction; its result comes after the commit."""
        task = _Task(work)
        self._jobs.put(task)
        return task.done

    def _run(self) -> None:
        running = True
        while running:
            intakes, tasks, running = self._collect()
            self._busy_since = self._clock.monotonic()
            try:
                fresh = self._commit_events(intakes) if intakes else []
                if fresh or tasks or self._stale:
                    self._busy_since = self._clock.monotonic()
                    self._commit_step(fresh, tasks)
            except Exception:  # noqa: BLE001 - without this thread nothing is stored any more
                self._stale = True
                _log.exception("the writer failed unexpectedly")
            self._busy_since = None

    def _collect(self) -> tuple[list[_Intake], list[_Task[Any]], bool]:
        """Wait for the first job, then for at most 10 ms or 100 alerts; take all that is there."""
        intakes: list[_Intake] = []
        tasks: list[_Task[Any]] = []
        alerts = 0
        deadline: float | None = None
        while alerts < BATCH_LIMIT:
            wait = self._patience_s() if deadline is None else deadline - self._clock.monotonic()
            try:
                if alerts >= FLUSH_ALERTS or wait <= 0:
                    job = self._jobs.get_nowait()
                else:
                    job = self._jobs.get(timeout=wait)
            except Empty:
                break
            if job is None:
                return intakes, tasks, False
            wanted = job.done.set_running_or_notify_cancel()  # from here on it is not cancelled
            if isinstance(job, _Intake):
                intakes.append(job)  # stored even if nobody waits for the answer any more
                alerts += len(job.events)
            elif wanted:
                tasks.append(job)
            if deadline is None:
                deadline = self._clock.monotonic() + FLUSH_AFTER_S
        return intakes, tasks, True

    def _patience_s(self) -> float:
        """Return how long to wait for a first job: hardly, when there is something to catch up."""
        return FLUSH_AFTER_S if self._stale and not self.failure else _IDLE_S

    def _commit_events(self, intakes: Sequence[_Intake]) -> list[AlertEvent]:
        now = self._clock.now().timestamp()
        try:
            with self._engine.begin() as connection:
                fresh, counts = self._insert(connection, intakes, now)
        except SQLAlchemyError as error:
            self.failure = str(_unavailable(error))
            _log.exception("alerts could not be stored")
            for intake in intakes:
                _answer(intake.done, error=_unavailable(error))
            return []
        finally:
            self._taken += sum(len(intake.events) for intake in intakes)
        self.failure = ""
        self._next_id += len(fresh)
        self._last_id = self._next_id - 1
        for intake, count in zip(intakes, counts, strict=True):
            _answer(intake.done, count)
        return fresh

    def _insert(
        self, connection: Connection, intakes: Sequence[_Intake], now: float
    ) -> tuple[list[AlertEvent], list[int]]:
        keys = [event.key for intake in intakes for event in intake.events]
        seen = event_rows.known_keys(connection, keys)
        fresh: list[AlertEvent] = []
        counts = []
        for intake in intakes:
            before = len(fresh)
            for event in intake.events:
                if event.key not in seen:
                    seen.add(event.key)
                    fresh.append(event)
            counts.append(len(fresh) - before)
            event_rows.keep_rejected(connection, intake.rejected, at=now, source=intake.source)
        event_rows.insert_events(connection, fresh, first_id=self._next_id, received_at=now)
        return fresh, counts

    def _commit_step(self, fresh: Sequence[AlertEvent], tasks: Sequence[_Task[Any]]) -> None:
        settled: list[Callable[[], None]] = []
        try:
            with self._engine.begin() as connection:
                unit = Unit(connection, self._clock.now().timestamp())
                if self._stale:
                    self._catch_up(unit)
                elif fresh:
                    self._state.apply(unit, fresh)
                    event_rows.mark_correlated(connection, self._last_id)
                settled = [self._attempt(unit, task) for task in tasks]
        except Exception as error:  # noqa: BLE001 - the edge of the thread: it must go on
            self._stale = True
            self.failure = str(_unavailable(error))
            _log.exception("incidents could not be written; they are read back and tried again")
            for task in tasks:
                task.done.set_exception(_unavailable(error))
            return
        self.failure = ""
        for settle in settled:
            settle()
        self._announce(unit)

    def _attempt(self, unit: Unit, task: _Task[Any]) -> Callable[[], None]:
        """Run one task; what it refuses is its caller's, anything else fails the transaction."""
        try:
            result = task.work(unit)
        except OpsError as refusal:
            error = refusal
            return lambda: task.done.set_exception(error)
        return lambda: task.done.set_result(result)

    def _catch_up(self, unit: Unit) -> None:
        """Read the state back and apply the events it does not reflect, one by one."""
        self._state.load(unit.connection, unit.now)
        while pending := event_rows.uncorrelated(unit.connection):
            for number, event in pending:
                self._apply_alone(unit, event)
                event_rows.mark_correlated(unit.connection, number)
        self._stale = False

    def _apply_alone(self, unit: Unit, event: AlertEvent) -> None:
        """Apply one event; one that cannot be applied is set aside, so that the others can."""
        try:
            self._state.apply(unit, (event,))
        except SQLAlchemyError:
            raise
        except Exception as error:  # noqa: BLE001 - the edge of the thread: it must go on
            _log.exception("an event could not be applied and was set aside")
            content = repr((event.labels, event.annotations)).encode()
            event_rows.keep_rejected(
                unit.connection, [(None, repr(error), content)], at=unit.now, source=event.source
            )
            self._state.load(unit.connection, unit.now)


def _answer(done: "Future[int]", count: int = 0, *, error: Exception | None = None) -> None:
    if done.cancelled():  # whoever sent it has gone
        return
    if error is None:
        done.set_result(count)
    else:
        done.set_exception(error)


def _unavailable(error: Exception) -> StoreUnavailableError:
    cause = getattr(error, "orig", None) or error
    return StoreUnavailableError(f"the alert store cannot be written: {cause}")
