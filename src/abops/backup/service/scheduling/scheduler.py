"""The scheduler: what the agenda says is carried out by whoever leads, one thing after the other.

Lanes work beside each other, so that a verification or a drill of an hour keeps no backup of
another destination waiting, and nothing the configuration: backups, one destination after the
other; what judges and lets go; rehearsals and copies; the configuration. Two that need the same
destination meet at its lock: the later one comes again with the next look.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec
import structlog

from abops.backup.model import Home
from abops.backup.postgres.site import load_site
from abops.backup.schedule.agenda import BACKUPS, agenda, missed
from abops.backup.schedule.place import Due
from abops.backup.service.lock import RunHeldError, hold, is_held
from abops.backup.service.run import BackupService
from abops.backup.service.scheduling.errands import HOLDING, Errands, Gather, run_of
from abops.backup.service.scheduling.known import Scene, ask_all, protected_since, scene_of
from abops.backup.service.scheduling.lead import Leadership
from abops.backup.store.database import Catalog
from abops.backup.store.records import Run
from abops.kernel.clock import Clock
from abops.kernel.errors import OpsError

TICK_S: Final = 15.0
LOOKS_BACK: Final = timedelta(days=9)
LANES: Final = (
    BACKUPS,
    HOLDING - BACKUPS,
    frozenset({"drill", "mirror"}),
    frozenset({"config"}),
)
Outcome = Literal["success", "failed", "held"]
_log = structlog.get_logger()


class Ended(msgspec.Struct, frozen=True):
    """How a run ended. Held: somebody else has its destination in hand; it comes again."""

    run: Due
    outcome: Outcome
    told: str
    seconds: float
    hint: str = ""


class Scheduler:
    """Acts by the timetable of one home while it leads."""

    def __init__(self, home: Home, clock: Clock, gather: Gather) -> None:
        self.home, self.clock = home, clock
        self.catalog = Catalog(home.catalog)
        self.lead = Leadership(self.catalog, clock)
        self.last_tick: float = 0.0
        self._gather = gather
        self._asked = ""
        self._taking_over = asyncio.Lock()

    async def once(self) -> tuple[Ended, ...]:
        """Carry out all that is due now and what follows from it; empty when another leads."""
        ended: list[Ended] = []
        begun: set[str] = set()
        with self.lead.sought():
            while True:
                lanes = await asyncio.gather(*(self._work_off(lane, begun) for lane in LANES))
                held = [one for lane in lanes for one in lane if one.outcome == "held"]
                done = [one for lane in lanes for one in lane if one.outcome != "held"]
                ended += done
                if not done:
                    return (*ended, *held)
                # Another lane may have had its destination in hand: it comes again.
                begun -= {one.run.id for one in held}

    async def serve(self, stop: asyncio.Event) -> None:
        """Look every few seconds what is due until stopped. What is under way is cut off then."""
        with self.lead.sought():
            lanes = [asyncio.create_task(self._lane(lane)) for lane in LANES]
            stopped = asyncio.create_task(stop.wait())
            ended, left = await asyncio.wait([*lanes, stopped], return_when=asyncio.FIRST_COMPLETED)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
            for task in ended:
                task.result()

    async def _lane(self, kinds: frozenset[str]) -> None:
        while True:
            try:
                await self._work_off(kinds, set())
            except Exception:  # noqa: BLE001 - the timetable outlives a defect of one look at it
                _log.exception("the agenda could not be worked off", kinds=sorted(kinds))
            await asyncio.sleep(TICK_S)

    async def _work_off(self, kinds: frozenset[str], begun: set[str]) -> tuple[Ended, ...]:
        """Carry out what is due and was not begun yet; what comes up meanwhile follows."""
        ended: list[Ended] = []
        while self.lead.holds():
            errands = Errands(self.home, load_site(self.home), self.clock, self._gather)
            try:
                await self._take_over(errands.service)
                now = await self._next(errands.service, kinds, begun)
                if now is None:
                    break
                begun.add(now.id)
                ended.append(await self._carry_out(errands, now))
            finally:
                errands.service.catalog.close()
        return tuple(ended)

    async def _take_over(self, service: BackupService) -> None:
        """After a change of hands: end what others left, and ask what the destinations hold."""
        async with self._taking_over:
            holder = self.lead.holder
            if self._asked == holder:
                return
            service.journal.close_others(holder)
            await ask_all(service, service.site.sources)
            self._asked = holder

    async def _next(
        self, service: BackupService, kinds: frozenset[str], begun: set[str]
    ) -> Due | None:
        """Return what comes next; a destination is asked what it holds before it gets more."""
        found = self._first(service, kinds, begun)
        if found is None or found.kind not in BACKUPS:
            return found
        place = next(one for one in service.site.sources if one.name == found.destination)
        await ask_all(service, [place])
        return self._first(service, kinds, begun)

    def _first(self, service: BackupService, kinds: frozenset[str], begun: set[str]) -> Due | None:
        now, site = self.clock.now(), service.site
        # What befell backups is one lane's to note, not each one's anew.
        backups = kinds == BACKUPS
        if backups:
            self._sweep(service)
        scene = scene_of(service, live=backups)
        runs = service.journal.runs((now - LOOKS_BACK).timestamp())
        if backups:
            self._note_missed(service, scene, runs, now)
        self.last_tick = now.timestamp()
        due = agenda(now, scene.places, runs, site.schedule, scene.mirrors).due
        return next((one for one in due if one.kind in kinds and one.id not in begun), None)

    def _sweep(self, service: BackupService) -> None:
        """Note the end of backups whose process is gone: it would keep its destination blocked."""
        for place in service.site.sources:
            with suppress(RunHeldError), hold(self.home, place.name, "a look at what is left"):
                service.journal.close_cut_off(place)

    def _note_missed(
        self, service: BackupService, scene: Scene, runs: Sequence[Run], now: datetime
    ) -> None:
        for known in scene.places:
            since = protected_since(self.home, known)
            found = missed(now, known, runs, service.site.schedule, since)
            service.journal.note_missed(run_of(one, self.lead.holder, "missed") for one in found)

    async def _carry_out(self, errands: Errands, due: Due) -> Ended:
        began = self.clock.monotonic()
        outcome: Outcome = "success"
        hint = ""
        if due.kind in HOLDING and is_held(self.home, due.destination):
            return Ended(due, "held", "somebody has the destination in hand", 0.0)
        _log.info("run begins", run=due.id, attempt=due.attempt, reason=due.reason)
        try:
            told = await errands.go(due, self.lead.holder)
        except RunHeldError as error:
            outcome, told, hint = "held", str(error), error.hint
        except OpsError as error:
            outcome, told, hint = "failed", str(error), error.hint
        except Exception as error:  # noqa: BLE001 - a defect in one run stops no other
            _log.exception("a run met a defect", run=due.id)
            outcome, told = "failed", f"unexpected: {type(error).__name__}"
        seconds = self.clock.monotonic() - began
        _log.info("run ended", run=due.id, outcome=outcome, told=told, seconds=round(seconds, 1))
        return Ended(due, outcome, told, seconds, hint)
