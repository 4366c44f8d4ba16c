"""The one writer: a thread that owns the one connection that writes.

Events that arrive together are committed together, and only then are their senders told that
they are safe. A second transaction brings the incidents up to them; it also carries whatever
else has to be written. If it fails, the state in memory is read back from the disk and the
events that the incidents do not reflect are taken up again: what was accepted is never lost.

Where several replicas share the store, each commits events, and one of them leads: only that
one has the state and writes incidents.
"""

import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from abops.alerts.model import AlertEvent
from abops.alerts.store import events as event_rows
from abops.alerts.store.jobs import Intake, Task, unavailable
from abops.alerts.store.progress import Progress
from abops.alerts.store.sharing import NobodyCanTellError, Sharing
from abops.alerts.store.unit import State, Unit
from abops.kernel.clock import Clock
from abops.kernel.errors import OpsError

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["NotLeadingError", "State", "Unit", "Writer"]
FLUSH_ALERTS = 100
FLUSH_AFTER_S = 0.010
BATCH_LIMIT = 1_000
_IDLE_S = 1.0
_log = structlog.get_logger()
_T = TypeVar("_T")
_Job = Any  # an intake, a task of some result type, _LOOK, or None to stop
_LOOK = object()


class NotLeadingError(OpsError):
    """Another replica leads now."""

    hint = "Try again in a few seconds."


class Writer:
    """Commits what it is given, in the order in which it was given."""

    def __init__(
        self,
        engine: Engine,
        state: State,
        clock: Clock,
        announce: Callable[[Unit], None],
        sharing: Sharing | None = None,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._announce = announce
        self._sharing = sharing
        self._progress = Progress(state)
        self._jobs: SimpleQueue[_Job] = SimpleQueue()
        self._looks = False
        self._thread = threading.Thread(target=self._run, name="alert-writer", daemon=True)
        self._last_id = 0
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

    @property
    def leads(self) -> bool:
        """Whether this process has the state, and writes incidents."""
        return self._sharing is None or self._sharing.leads

    def start(self) -> None:
        """Read the state from the disk and begin to write; raises StoreUnavailableError.

        Where the store is shared, the state is read when the lead is taken.
        """
        try:
            with self._engine.begin() as connection:
                self._last_id = event_rows.last_event_id(connection)
                if self._sharing is None:
                    self._progress.load(connection, self._now())
                else:
                    event_rows.ensure_numbers(connection)
        except SQLAlchemyError as error:
            raise unavailable(error) from error
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
        intake = Intake(events, rejected, source)
        self._received += len(events)
        self._jobs.put(intake)
        return intake.done

    def do(self, work: Callable[[Unit], _T], *, anywhere: bool = False) -> "Future[_T]":
        """Run `work` in the next transaction; its result comes after the commit.

        Without `anywhere` it needs the state, so that only the replica that leads can do it.
        """
        task = Task(work, anywhere)
        self._jobs.put(task)
        return task.done

    def look(self) -> None:
        """Say that another replica may have stored events or asked for something."""
        if not self._looks:
            self._looks = True
            self._jobs.put(_LOOK)

    def _run(self) -> None:
        running = True
        while running:
            intakes, tasks, running = self._collect()
            self._busy_since = self._clock.monotonic()
            try:
                fresh = self._commit_events(intakes) if intakes else []
                self._busy_since = self._clock.monotonic()
                if self._sharing is not None:
                    self._share(self._sharing, tasks)
                if self.leads and (fresh or tasks or self._progress.has_work or self._is_asked()):
                    self._commit_step(fresh, [task for task in tasks if not task.done.done()])
            except Exception as error:  # noqa: BLE001 - without this thread nothing is stored
                self._progress.failed(error)
                _log.exception("the writer failed unexpectedly")
            self._busy_since = None

    def _collect(self) -> tuple[list[Intake], list[Task[Any]], bool]:
        """Wait for the first job, then for at most 10 ms or 100 alerts; take all that is there."""
        intakes: list[Intake] = []
        tasks: list[Task[Any]] = []
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
            if deadline is None:
                deadline = self._clock.monotonic() + FLUSH_AFTER_S
            if job is _LOOK:
                self._looks, self._progress.behind = False, True
                if self._sharing is not None:
                    self._sharing.asked = True
                continue
            wanted = job.done.set_running_or_notify_cancel()  # from here on it is not cancelled
            if isinstance(job, Intake):
                intakes.append(job)  # stored even if nobody waits for the answer any more
                alerts += len(job.events)
            elif wanted:
                tasks.append(job)
        return intakes, tasks, True

    def _patience_s(self) -> float:
        """Return how long to wait for a first job: hardly, when there is something to catch up."""
        if self.leads and self._progress.has_work and not self.failure:
            return FLUSH_AFTER_S
        return _IDLE_S if self._sharing is None else self._sharing.patience_s

    # Events

    def _commit_events(self, intakes: Sequence[Intake]) -> list[AlertEvent]:
        try:
            with self._engine.begin() as connection:
                fresh, counts = self._insert(connection, intakes, self._now())
        except SQLAlchemyError as error:
            self.failure = str(unavailable(error))
            _log.exception("alerts could not be stored")
            for intake in intakes:
                intake.fail(unavailable(error))
            return []
        finally:
            self._taken += sum(len(intake.events) for intake in intakes)
        self.failure = ""
        self._last_id += len(fresh)
        for intake, count in zip(intakes, counts, strict=True):
            intake.answer(count)
        return fresh

    def _insert(
        self, connection: Connection, intakes: Sequence[Intake], now: float
    ) -> tuple[list[AlertEvent], list[int]]:
        if self._sharing is not None:
            self._last_id = event_rows.lock_numbers(connection)
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
        event_rows.insert_events(connection, fresh, first_id=self._last_id + 1, received_at=now)
        if self._sharing is not None and fresh:
            event_rows.note_numbers(connection, self._last_id + len(fresh))
            self._sharing.say_stored(connection)
        return fresh, counts

    # Incidents

    def _commit_step(self, fresh: Sequence[AlertEvent], tasks: Sequence[Task[Any]]) -> None:
        sharing = self._sharing
        try:
            with self._engine.begin() as connection:
                unit = Unit(connection, self._now())
                if sharing is not None:
                    sharing.assert_lead(connection)
                self._progress.advance(unit, fresh, self._last_id - len(fresh) + 1)
                answers = [task.attempt(unit) for task in tasks]
                if sharing is not None:
                    sharing.say_done(unit, sharing.carry_out(unit, self._progress.reload))
        except Exception as error:  # noqa: BLE001 - the edge of the thread: it must go on
            self._progress.failed(error)
            self._fail(tasks, error)
            if sharing is not None:
                sharing.asked = True
            if sharing is not None and isinstance(error, NobodyCanTellError):
                sharing.step_down()
            else:
                self.failure = str(unavailable(error))
                _log.exception("incidents could not be written; they are read back")
            return
        self.failure = ""
        self._progress.committed()
        for answer in answers:
            answer()
        self._announce(unit)

    def _fail(self, tasks: Sequence[Task[Any]], error: Exception) -> None:
        for task in tasks:
            if isinstance(error, NobodyCanTellError):
                task.done.set_exception(NotLeadingError())
            else:
                task.done.set_exception(unavailable(error))

    # Several replicas

    def _is_asked(self) -> bool:
        return self._sharing is not None and self._sharing.asked

    def _share(self, sharing: Sharing, tasks: Sequence[Task[Any]]) -> None:
        """Do what a replica may do that does not lead, and see who leads."""
        here = [] if sharing.leads else [task for task in tasks if task.anywhere]
        if here or sharing.is_time():
            self._look_around(sharing, here)
        if not sharing.leads:
            for task in tasks:
                if not task.done.done():
                    task.done.set_exception(NotLeadingError())

    def _look_around(self, sharing: Sharing, here: Sequence[Task[Any]]) -> None:
        in_doubt = None
        try:
            with self._engine.begin() as connection:
                unit = Unit(connection, self._now())
                if sharing.leads:
                    sharing.assert_lead(connection)
                    sharing.asked = True
                    self._progress.look(connection)
                else:
                    in_doubt = sharing.try_for_lead(connection, unit.now)
                answers = [task.attempt(unit) for task in here]
        except Exception as error:  # noqa: BLE001 - the edge of the thread: it must go on
            self._fail(here, error)
            sharing.step_down()
            if not isinstance(error, NobodyCanTellError):
                self.failure = str(unavailable(error))
                _log.warning("the alert store does not answer", reason=self.failure)
            return
        self.failure = ""
        for answer in answers:
            answer()
        if in_doubt is not None:
            self._progress.stale = True
            sharing.accede(in_doubt)

    def _now(self) -> float:
        return self._clock.now().timestamp()
