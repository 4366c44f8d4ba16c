"""What the writer does besides, when other replicas use the same store."""

from collections.abc import Callable
from typing import Final

import structlog
from sqlalchemy import Connection

from abops.alerts.store import commands, notices, outbox
from abops.alerts.store.commands import Answer
from abops.alerts.store.notices import Notice
from abops.alerts.store.seat import Seat
from abops.alerts.store.unit import Unit
from abops.kernel.clock import Clock

TRY_EVERY_S: Final = 0.4
"""Seconds between two attempts of a replica to take the lead."""
LOOK_EVERY_S: Final = 1.0
"""Seconds between two looks for what a notice should have said; they also keep the session."""
_AT_ONCE: Final = 100
_log = structlog.get_logger()


class NobodyCanTellError(Exception):
    """The session that held the lead has gone; another replica may lead by now."""


class Sharing:
    """The lead, and what is said to the other replicas in the transactions that concern them."""

    def __init__(  # noqa: PLR0913 - made in one place, from its parent's parts
        self,
        replica: str,
        clock: Clock,
        *,
        prepare: Callable[[Connection], None],
        carry_out: Callable[[Unit, str, str], Answer],
        failure_of: Callable[[Exception], str],
        changed: Callable[[bool, int], None],
    ) -> None:
        """Take part under a name of one's own.

        `prepare` reads what the leading replica has besides the state; `carry_out` does what
        another replica asks for; `changed` hears whether this one leads, and how many pages its
        predecessor may have sent without noting it. All are called in the writer's thread.
        """
        self._prepare = prepare
        self._replica = replica
        self._carry_out = carry_out
        self._failure_of = failure_of
        self._changed = changed
        self._clock = clock
        self._seat = Seat()
        self._looked_at = clock.monotonic() - LOOK_EVERY_S
        self.leads = False
        self.asked = False
        """Whether another replica may have asked for something."""

    @property
    def patience_s(self) -> float:
        """Seconds until something is to be looked at although nothing happens."""
        return LOOK_EVERY_S if self.leads else TRY_EVERY_S

    def is_time(self) -> bool:
        """Say whether it is time to look: for work, or whether the lead can be had."""
        now = self._clock.monotonic()
        if now - self._looked_at < self.patience_s:
            return False
        self._looked_at = now
        return True

    def try_for_lead(self, connection: Connection, now: float) -> int | None:
        """Take the lead if nobody has it; what its last holder was sending is to be sent again.

        Return how many pages are among that. None: another replica leads.
        """
        if not self._seat.take(connection):
            return None
        self._prepare(connection)
        return outbox.take_back(connection, now)

    def accede(self, in_doubt: int) -> None:
        """Note that this replica leads."""
        self.leads = self.asked = True
        _log.info("this replica leads now", replica=self._replica)
        self._changed(True, in_doubt)  # noqa: FBT003 - which of two

    def assert_lead(self, connection: Connection) -> None:
        """Raise NobodyCanTellError unless this session is the one that holds the lead."""
        if not self._seat.holds(connection):
            raise NobodyCanTellError("the session that held the lead has ended")

    def step_down(self) -> None:
        """Note that another replica may lead."""
        if self.leads:
            self.leads = False
            _log.warning("this replica no longer leads", replica=self._replica)
            self._changed(False, 0)  # noqa: FBT003 - which of two

    def say_stored(self, connection: Connection) -> None:
        """Tell the leading replica that there are events or commands, unless it is this one."""
        if not self.leads:
            notices.send(connection, Notice(self._replica, work=True))

    def carry_out(self, unit: Unit, reload: Callable[[Unit], None]) -> tuple[int, ...]:
        """Do what other replicas asked for, each on its own; return which were answered."""
        found = commands.claim(unit.connection, _AT_ONCE) if self.asked else ()
        for command in found:
            part = unit.connection.begin_nested()
            try:
                given = self._carry_out(unit, command.name, command.arguments)
            except Exception as error:  # noqa: BLE001 - the others must not wait for it for ever
                _log.exception("a command of another replica failed", command=command.name)
                part.rollback()
                reload(unit)
                given = Answer(done=False, content=self._failure_of(error))
            else:
                part.commit()
            commands.answer(unit.connection, command.id, given)
        self.asked = len(found) == _AT_ONCE
        return tuple(command.id for command in found)

    def say_done(self, unit: Unit, answered: tuple[int, ...]) -> None:
        """Tell the others what happened to incidents, and what was answered."""
        if answered or unit.events:
            notices.send(
                unit.connection,
                Notice(self._replica, answered=answered, events=tuple(unit.events)),
            )
