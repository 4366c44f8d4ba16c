"""Which of several schedulers acts: the one that holds the lead, renewed every few seconds.

A thread of its own renews it, so that a long step of the work costs nobody the lead. A process
that is frozen renews nothing: its lead runs out, another takes over, and when it wakes it finds a
higher term before it begins anything.
"""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog

from abops.backup.store import lead
from abops.backup.store.database import Catalog, CatalogError
from abops.kernel.clock import Clock

NAME: Final = "schedule"
VALID_S: Final = 15.0
RENEW_S: Final = 5.0
_log = structlog.get_logger()


class Leadership:
    """One scheduler's claim to the lead."""

    def __init__(self, catalog: Catalog, clock: Clock) -> None:
        self._catalog, self._clock = catalog, clock
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._held: lead.Lead | None = None
        self._end = threading.Event()

    @property
    def holder(self) -> str:
        """Who we are, and since which change of hands we lead: it marks our runs."""
        return f"{self._name}#{self._held.term}" if self._held else self._name

    @contextmanager
    def sought(self) -> Iterator[None]:
        """Take the lead when it is free and renew it while the block runs; then let go of it."""
        self._end.clear()
        self._take()
        renewing = threading.Thread(target=self._renew, name="lead", daemon=True)
        renewing.start()
        try:
            yield
        finally:
            self._end.set()
            renewing.join(RENEW_S)
            self._let_go()

    def holds(self) -> bool:
        """Tell whether we lead at this moment, by the catalog."""
        held = self._held
        if held is None:
            return False
        try:
            with self._catalog.read() as connection:
                return lead.holds(connection, held, now=self._clock.now().timestamp())
        except CatalogError:
            return False

    def leader(self) -> str:
        """Return who leads, empty for nobody."""
        with self._catalog.read() as connection:
            found = lead.leader(connection, NAME)
        now = self._clock.now().timestamp()
        return found.holder if found is not None and found.until > now else ""

    def _renew(self) -> None:
        while not self._end.wait(RENEW_S):
            self._take()

    def _take(self) -> None:
        now = self._clock.now().timestamp()
        try:
            with self._catalog.write() as connection:
                taken = lead.take(connection, NAME, self._name, now=now, valid_s=VALID_S)
        except CatalogError as error:
            # Without the catalog nobody leads: what we hold runs out by itself.
            _log.warning("the lead cannot be renewed", error=str(error))
            return
        if (taken and taken.term) != (self._held and self._held.term):
            _log.info("lead taken" if taken else "another scheduler leads", name=self._name)
        self._held = taken

    def _let_go(self) -> None:
        held, self._held = self._held, None
        if held is None:
            return
        try:
            with self._catalog.write() as connection:
                lead.give_up(connection, held)
        except CatalogError as error:
            _log.warning("the lead runs out by itself", error=str(error))
