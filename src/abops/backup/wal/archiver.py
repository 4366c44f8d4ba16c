"""One segment after the other: pushed to all who are well, owed to the rest, then answered for.

PostgreSQL hears "kept" when the policy holds and whatever is still open lies beside it as a copy
of its own. Until then it keeps the segment itself and asks again, so that a crash at any point
loses nothing: a push of the same content twice is as good as once.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Final, Protocol

import structlog
from msgspec import Struct

from abops.backup.model import WalRules
from abops.backup.wal.engine import Carrier, Outcome, Told
from abops.backup.wal.names import kind_of
from abops.backup.wal.place import Place, View, p95
from abops.backup.wal.policy import Gap, Standing, is_kept, may_drop, no_room, push_at_once
from abops.backup.wal.queue import DifferentSegmentError, Queue, QueueError, judge
from abops.kernel.clock import Clock, SystemClock

GRACE_S: Final = 0.25
"""What a destination has on top once the others keep the promise; then it is owed."""
_log = structlog.get_logger()


class Reply(Struct, frozen=True):
    """What PostgreSQL's program is told: its exit code, and a line for the server's log."""

    code: int
    text: str = ""


class Figures(Protocol):
    """Counts for the metrics."""

    def pushed(self, destination: str, told: Told) -> None:
        """Note an answer of a destination."""
        ...

    def answered(self, reply: Reply, seconds: float) -> None:
        """Note what PostgreSQL was told, and after which time."""
        ...


class Archiver:
    """Takes segments from PostgreSQL. One for each cluster."""

    def __init__(  # noqa: PLR0913 - what it stands on, by name
        self,
        *,
        log_folder: Path,
        rules: WalRules,
        queue: Queue,
        carrier: Carrier,
        figures: Figures,
        clock: Clock | None = None,
        reached: Callable[[str], None] = lambda _step: None,
    ) -> None:
        """`reached` is told each step, so that a test can end the process there."""
        self.rules = rules
        self.queue = queue
        self.carrier = carrier
        self.places = {name: Place(name) for name in queue.destinations}
        self._log_folder = log_folder
        self._figures = figures
        self._clock = clock or SystemClock()
        self._reached = reached
        self._running: dict[str, asyncio.Task[Reply]] = {}
        self._seconds: deque[float] = deque(maxlen=500)

    async def push(self, segment: Path) -> Reply:
        """Have a segment kept. Whoever asks meanwhile for the same one gets the same answer."""
        name = segment.name
        if kind_of(name) is None:
            return Reply(1, "this is no name of write-ahead log")
        if segment.parent.resolve() != self._log_folder.resolve():
            return Reply(1, "this file is not in the log of the protected database")
        task = self._running.get(name)
        if task is None:
            task = asyncio.create_task(self._timed(segment))
            self._running[name] = task
            task.add_done_callback(lambda _task: self._running.pop(name, None))
        # The program may be killed: the segment is on its way all the same.
        return await asyncio.shield(task)

    async def _timed(self, segment: Path) -> Reply:
        began = self._clock.monotonic()
        try:
            reply = await self._keep(segment)
        except OSError as error:
            reply = Reply(1, f"{segment.name}: {error.strerror}")
        except QueueError as error:
            reply = Reply(1, str(error))
        seconds = self._clock.monotonic() - began
        if reply.code == 0:
            self._seconds.append(seconds)
        else:
            _log.warning("not kept", segment=segment.name, reason=reply.text)
        self._figures.answered(reply, seconds)
        return reply

    async def _keep(self, segment: Path) -> Reply:
        if reason := await asyncio.to_thread(judge, segment):
            return Reply(1, reason)
        self._reached("judged")
        standings = await asyncio.to_thread(self.standings)
        at_once = push_at_once(self.rules, standings)
        told = await self._push_to(segment, at_once)
        for name, answer in told.items():
            if answer.outcome is Outcome.DIFFERENT:
                return Reply(1, f"{name} has another segment of this name: {answer.reason}")
        done = {name for name, answer in told.items() if answer.outcome is Outcome.DONE}
        self._reached("pushed")
        if not is_kept(self.rules, self.places, done):
            reasons = "; ".join(a.reason for a in told.values() if a.reason) or "nobody has it"
            return Reply(1, f"not kept by enough destinations: {reasons}")
        if missing := self.places.keys() - done:
            await self._owe(segment, missing)
        self._reached("owed")
        return Reply(0)

    async def _push_to(self, segment: Path, names: Collection[str]) -> Mapping[str, Told]:
        """Push to all of these at once, until all have answered or the rest is late."""
        tasks = {asyncio.create_task(self._push_one(segment, name)): name for name in names}
        pending, told, late_at = set(tasks), dict[str, Told](), None
        try:
            while pending:
                left = None if late_at is None else max(0.0, late_at - self._clock.monotonic())
                ended, pending = await asyncio.wait(
                    pending, timeout=left, return_when=asyncio.FIRST_COMPLETED
                )
                if not ended:
                    break
                told |= {tasks[task]: task.result() for task in ended}
                done = {name for name, one in told.items() if one.outcome is Outcome.DONE}
                if late_at is None and is_kept(self.rules, self.places, done):
                    late_at = self._clock.monotonic() + GRACE_S
        finally:
            # Nobody may read the file any more when PostgreSQL gets it back.
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
        return told

    async def _push_one(self, segment: Path, name: str) -> Told:
        path = await asyncio.to_thread(self.queue.take, segment, name)
        try:
            self._reached("linked")
            told = await self.carrier.push(name, path, self.rules.timeout_s)
            self.note(segment.name, name, told)
            return told
        finally:
            self.queue.land(segment.name, name)

    async def _owe(self, segment: Path, names: Collection[str]) -> None:
        """Put a copy aside, or let the dead lose it if that is the rule. Raises QueueError."""
        reason = await asyncio.to_thread(self._put_aside, segment, names)
        if not reason:
            for name in names:
                self.places[name].wake()
            return
        standings = await asyncio.to_thread(self.standings)
        if not all(may_drop(self.rules, standings[name]) for name in names):
            raise QueueError(f"{segment.name} cannot be owed to {', '.join(names)}: {reason}")
        for name in names:
            gap = Gap(name, segment.name, self._clock.now().timestamp(), reason)
            await asyncio.to_thread(self.queue.note_gap, gap)
            _log.error("a segment is lost to a destination", segment=segment.name, dest=name)

    def _put_aside(self, segment: Path, names: Collection[str]) -> str:
        """Keep a copy for these destinations; say why it could not be."""
        try:
            # Asked again after a crash, it may lie there already: that takes no more room.
            missing = self.queue.lacking(segment, names)
            reason = no_room(self.rules, self.queue.room(), segment.stat().st_size)
            if missing and reason:
                return reason
            self.queue.owe(segment, missing)
        except DifferentSegmentError:
            raise
        except QueueError as error:
            return str(error)
        return ""

    def note(self, segment: str, name: str, told: Told) -> None:
        """Learn from what a destination answered, and say when it goes or comes back."""
        place = self.places[name]
        was_down = place.breaker.is_down
        place.note(segment, told, now=self._clock.monotonic(), at=self._clock.now().timestamp())
        self._figures.pushed(name, told)
        if told.outcome is Outcome.DIFFERENT:
            _log.error("another segment is there", segment=segment, dest=name, reason=told.reason)
        if place.breaker.is_down and not was_down:
            _log.warning("destination is down", dest=name, reason=told.reason)
        elif was_down and not place.breaker.is_down:
            _log.info("destination is back", dest=name)

    def standings(self) -> dict[str, Standing]:
        """Return how each destination stands now."""
        return {
            name: Standing(
                is_down=place.breaker.is_down,
                is_behind=any(one.name not in place.conflicts for one in self.queue.owed(name)),
            )
            for name, place in self.places.items()
        }

    def views(self) -> tuple[View, ...]:
        """Return the destinations as people and scrapes see them."""
        now, gaps = self._clock.now().timestamp(), self.queue.gaps()
        return tuple(
            self._view(place, now, sum(gap.destination == place.name for gap in gaps))
            for place in self.places.values()
        )

    def _view(self, place: Place, now: float, gaps: int) -> View:
        owed = self.queue.owed(place.name)
        seconds = place.p95_s
        return View(
            destination=place.name,
            up=not place.breaker.is_down,
            owed=len(owed),
            oldest_owed_s=max(0.0, now - owed[0].since) if owed else 0.0,
            last_push=place.last_push,
            last_push_at=place.last_push_at,
            p95_ms=None if seconds is None else round(seconds * 1000, 1),
            conflicts=len(place.conflicts),
            gaps=gaps,
            error=place.error,
        )

    @property
    def p95_s(self) -> float | None:
        """Time after which 95 of 100 segments were answered for."""
        return p95(self._seconds)
