"""How far the incidents reflect the events, and bringing them further.

Events have numbers without gaps, in the order in which they were committed; the incidents
reflect all up to one number, which is written with them. What this process has just committed
itself is applied from memory. Everything else is read: what was accepted before a failure or a
start, and what other replicas accepted.
"""

from collections.abc import Callable, Sequence

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from abops.alerts.model import AlertEvent
from abops.alerts.store import events as event_rows
from abops.alerts.store.unit import State, Unit

AT_ONCE = 1_000
"""Events that are read and applied in one transaction."""
_log = structlog.get_logger()


class Progress:
    """The state in memory, and the number of the last event that it reflects."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._reflected = 0
        self._next = 0
        self._careful = False
        self.stale = True
        """Whether the state has to be read from the disk before it is used."""
        self.behind = False
        """Whether there may be events that it does not reflect."""

    @property
    def has_work(self) -> bool:
        """Whether there is something to do although nobody asks for anything."""
        return self.stale or self.behind

    def load(self, connection: Connection, now: float) -> None:
        """Read the state from the disk."""
        self._state.load(connection, now)
        self._next = self._reflected = event_rows.last_correlated(connection)
        self.behind = event_rows.last_event_id(connection) > self._reflected
        self.stale = False

    def look(self, connection: Connection) -> None:
        """See whether there are events that the state does not reflect."""
        self.behind = self.behind or event_rows.last_event_id(connection) > self._reflected

    def advance(self, unit: Unit, fresh: Sequence[AlertEvent], first: int) -> None:
        """Apply events that were just committed, numbered from `first` on, and what is before."""
        if self.stale:
            self.load(unit.connection, unit.now)
        elif fresh and not self.behind and first == self._reflected + 1:
            self._state.apply(unit, fresh)
            self._mark(unit, first + len(fresh) - 1)
        elif fresh:
            self.behind = True
        if self.behind:
            self._catch_up(unit)

    def committed(self) -> None:
        """Note that the transaction is on disk."""
        self._reflected = self._next

    def failed(self, error: Exception) -> None:
        """Note that it is not: the state is read back, and then events are applied with care."""
        self.stale = True
        self._careful = not isinstance(error, SQLAlchemyError) or _is_about_data(error)

    def reload(self, unit: Unit) -> None:
        """Read the state back within a transaction of which only a part was undone."""
        self._state.load(unit.connection, unit.now)

    def _catch_up(self, unit: Unit) -> None:
        pending = event_rows.uncorrelated(unit.connection, self._next, AT_ONCE)
        if pending:
            if self._careful:
                for _, event in pending:
                    self._apply_alone(unit, event)
            else:
                self._state.apply(unit, [event for _, event in pending])
            self._mark(unit, pending[-1][0])
        self.behind = len(pending) == AT_ONCE
        self._careful = self._careful and self.behind

    def _mark(self, unit: Unit, number: int) -> None:
        event_rows.mark_correlated(unit.connection, number)
        self._next = number

    def _apply_alone(self, unit: Unit, event: AlertEvent) -> None:
        """Apply one event; one that cannot be applied is set aside, so that the others can."""
        part = unit.connection.begin_nested()
        try:
            self._state.apply(unit, (event,))
        except SQLAlchemyError as error:
            if not _is_about_data(error):
                raise
            self._set_aside(unit, event, error, part.rollback)
        except Exception as error:  # noqa: BLE001 - the edge of the thread: it must go on
            self._set_aside(unit, event, error, part.rollback)
        else:
            part.commit()

    def _set_aside(
        self, unit: Unit, event: AlertEvent, error: Exception, undo: Callable[[], None]
    ) -> None:
        undo()
        _log.error("an event could not be applied and was set aside", exc_info=error)
        content = repr((event.labels, event.annotations)).encode()
        event_rows.keep_rejected(
            unit.connection, [(None, repr(error), content)], at=unit.now, source=event.source
        )
        self._state.load(unit.connection, unit.now)


def _is_about_data(error: SQLAlchemyError) -> bool:
    """Tell whether the same again would fail again, whatever becomes of the database."""
    return isinstance(error, DataError | IntegrityError)
