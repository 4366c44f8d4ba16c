"""Looking for the likely cause of each incident while it grows.

People are told first; the cause follows within seconds, as an edit of what they were told. The
search runs beside the writer's thread on what is committed, at most once in a few seconds for an
incident, however many alerts join it. When an incident is over, what it looked like is counted:
an alert that is seen in every incident tells little about the next one. One that was merged away
is no incident of its own and is not counted. A count that a crash
loses changes no rank, so it is not worth a transaction of its own.
"""

import asyncio
from functools import partial
from typing import Final

import msgspec

from abops.alerts.model import IncidentDetail, ServiceEvent, SuspectedCause
from abops.alerts.rootcause.likely import likely_causes
from abops.alerts.rootcause.live import incident_evidence
from abops.alerts.rootcause.model import ChangeSeen, Edge, History
from abops.alerts.service.calls import Calls
from abops.alerts.service.enduring import Enduring
from abops.alerts.service.incidents import Incidents
from abops.alerts.service.memory import IncidentUnknownError
from abops.alerts.service.vault import Vault
from abops.alerts.store import learned
from abops.alerts.store.database import Connection
from abops.alerts.store.writer import Unit
from abops.kernel.clock import Clock

MEMBERS: Final = 200
"""Alerts of an incident that are looked at; a cause that 200 do not show, more do not either."""
SETTLE_S: Final = 0.5
"""Seconds to wait for the alerts that come together with the first one."""
AGAIN_S: Final = 5.0
CHANGES_BEFORE_S: Final = 1_800.0
_MEMORY: Final = "history"
_LOOKS: Final = frozenset({"opened", "updated"})


class Causes:
    """Finds the likely cause of each open incident."""

    def __init__(
        self,
        calls: Calls,
        vault: Vault,
        incidents: Incidents,
        clock: Clock,
        enduring: Enduring,
    ) -> None:
        self._calls = calls
        self._vault = vault
        self._incidents = incidents
        self._clock = clock
        self._enduring = enduring
        self._history = History()
        self._wanted: dict[int, bool] = {}
        self._looked_at: dict[int, float] = {}
        self._woken = asyncio.Event()

    def hear(self, event: ServiceEvent) -> None:
        """Note that an incident changed."""
        if event.kind in _LOOKS or event.kind == "resolved":
            self._wanted[event.number] = event.kind == "resolved"
            self._woken.set()

    async def run(self) -> None:
        """Look for causes, for ever."""
        self._history = await self._vault.read(_history)
        while True:
            await self._woken.wait()
            await asyncio.sleep(SETTLE_S)
            self._woken.clear()
            wanted, self._wanted = self._wanted, {}
            for number, over in wanted.items():
                await self._enduring.attempt(
                    partial(self._look, number, over=over), incident=number
                )

    async def _look(self, number: int, *, over: bool) -> None:
        now = self._clock.monotonic()
        if not over and now - self._looked_at.get(number, -AGAIN_S) < AGAIN_S:
            self._wanted.setdefault(number, over)
            asyncio.get_running_loop().call_later(AGAIN_S, self._woken.set)
            return
        self._looked_at[number] = now
        try:
            detail = await self._vault.incident(number, members=MEMBERS)
        except IncidentUnknownError:
            return
        if over and detail.summary.merged_into is not None:
            self._looked_at.pop(number, None)
            return  # its alerts are counted with the incident that took them over
        evidence = incident_evidence(
            [member.alert for member in detail.members],
            edges=tuple(Edge(caller, callee) for caller, callee in self._calls.known()),
            changes=await self._vault.read(lambda c: _changes(c, detail)),
            history=self._history,
        )
        if over:
            self._looked_at.pop(number, None)
            self._history = self._history.with_incident(evidence.alerts, evidence.changes)
            await self._vault.write(self._remember)
            return
        found = await asyncio.to_thread(likely_causes, evidence)
        causes = tuple(
            SuspectedCause(cause.entity, cause.score, cause.terms, cause.missing) for cause in found
        )
        await self._vault.write(lambda unit: self._incidents.suspect(unit, number, causes))

    def _remember(self, unit: Unit) -> None:
        learned.keep(unit.connection, _MEMORY, self._history.state(), at=unit.now)


def _history(connection: Connection) -> History:
    kept = learned.recall(connection, _MEMORY)
    if kept is None:
        return History()
    return History.restore(
        msgspec.convert(kept["incidents"], int),
        msgspec.convert(kept["seen"], list[tuple[str, str, int]]),
    )


def _changes(connection: Connection, detail: IncidentDetail) -> tuple[ChangeSeen, ...]:
    began = min(
        (member.alert.starts_at for member in detail.members), default=detail.summary.opened_at
    ).timestamp()
    rows = learned.changes_between(
        connection, detail.summary.env, began - CHANGES_BEFORE_S, began + AGAIN_S
    )
    return tuple(ChangeSeen(service, at, title, kind) for service, at, title, kind in rows)
