"""How likely it is that somebody has to act: judged while an incident grows, learned from people.

Beside the writer's thread, on what is committed. Every alert is counted; an incident is judged
when it changes, at most once in a few seconds. What people do with it becomes its label, and each
label moves the next score at once; every night all labels are fitted anew. Nothing here decides
whether somebody is told: without a score, and with any score, incidents are told as the routes
say. What a crash forgets is counted again from the events.
"""

import asyncio
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, cast
from zoneinfo import ZoneInfo

import msgspec
import structlog

from abops.alerts.model import ServiceConfig, ServiceEvent
from abops.alerts.score.features import Circumstances
from abops.alerts.score.model import Example, Score
from abops.alerts.score.scorer import Scorer, ScorerState, highest
from abops.alerts.service.enduring import Enduring
from abops.alerts.service.incidents import Incidents
from abops.alerts.service.labelling import keep_labels, new_labels
from abops.alerts.service.vault import Vault
from abops.alerts.store import learned, scores
from abops.alerts.store.database import Connection
from abops.alerts.store.scores import Arrived, Judged, Seen
from abops.alerts.store.writer import Unit
from abops.kernel.clock import Clock

SETTLE_S: Final = 0.5
"""Seconds to wait for the alerts that come together with the first one."""
AGAIN_S: Final = 5.0
LOOK_EVERY_S: Final = 600.0
"""Seconds between two looks for labels that only time decides."""
KEEP_EVERY_S: Final = 300.0
TRAIN_AT: Final = 3
"""Hour of the night, by `alerts.tz`, at which all labels are fitted anew."""
DIGITS: Final = 3
AT_ONCE: Final = 100
"""Incidents that are judged in one transaction."""
_MEMORY: Final = "score"
_JUDGED_ON: Final = frozenset({"opened", "updated"})
_ANSWERED: Final = frozenset({"acked", "resolved"})
Usual = dict[str, float | None]
"""Seconds that people usually take, by kind."""
_log = structlog.get_logger()


class Trained(msgspec.Struct, frozen=True):
    """What came of a training."""

    swapped: bool
    why: str
    examples: int
    actionable: int
    before: float | None
    after: float | None


class Scoring:
    """Judges the open incidents and learns from the closed ones."""

    def __init__(
        self,
        config: ServiceConfig,
        vault: Vault,
        incidents: Incidents,
        enduring: Enduring,
        clock: Clock,
    ) -> None:
        self._zone = ZoneInfo(config.routing.tz)
        self._vault = vault
        self._incidents = incidents
        self._clock = clock
        self._enduring = enduring
        self._scorer = Scorer()
        self._event = 0
        self._wanted: set[int] = set()
        self._judged_at: dict[int, float] = {}
        self._woken = asyncio.Event()
        self._alone = asyncio.Lock()
        self._kept_at = self._looked_at = clock.monotonic()
        self._train_at = _night_after(clock.now().astimezone(self._zone))
        self._answers = False
        self._changed = False

    def hear(self, event: ServiceEvent) -> None:
        """Note that an incident changed."""
        if event.kind in _JUDGED_ON:
            self._wanted.add(event.number)
            self._woken.set()
        elif event.kind in _ANSWERED:
            self._answers = True
            self._woken.set()

    async def run(self) -> None:
        """Judge and learn, for ever."""
        await self._enduring.attempt(self._recall)
        while True:
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._woken.wait()
            except TimeoutError:
                self._answers = True
            await asyncio.sleep(SETTLE_S)
            self._woken.clear()
            await self._enduring.attempt(self._step)

    async def train(self) -> Trained:
        """Fit all labels anew; serve the model unless it ranks last week worse."""
        async with self._alone:
            await self._learn()
            rows = await self._vault.read(scores.labels)
            examples = [
                Example(row.judged.features, row.value, row.opened_at, row.judged.served)
                for row in rows
            ]
            found = await asyncio.to_thread(_fit, examples, self._clock.now().timestamp())
            if found.model is not None:
                self._scorer.swap(found.model)
            await self._keep()
        _log.info("the score was trained", outcome=found.why, labels=found.examples)
        swapped = found.model is not None
        why = found.why or "a first model: there was none to compare with"
        return Trained(swapped, why, found.examples, found.actionable, found.before, found.after)

    async def close(self) -> None:
        """Keep what was learned."""
        if self._changed:
            await self._enduring.attempt(self._keep)

    async def _recall(self) -> None:
        kept = await self._vault.read(lambda c: learned.recall(c, _MEMORY))
        if kept is None:
            return
        try:
            state = msgspec.convert(kept["scorer"], ScorerState)
        except (KeyError, msgspec.ValidationError) as error:
            _log.warning("the score begins anew", reason=str(error))
            return
        self._scorer = Scorer.restore(state)
        self._event = cast("int", kept["event"])

    async def _step(self) -> None:
        wanted, self._wanted = self._wanted, set()
        async with self._alone:
            await self._observe()
            await self._judge(wanted)
            if self._answers or self._clock.monotonic() - self._looked_at > LOOK_EVERY_S:
                self._answers = False
                await self._learn()
        if self._clock.now() >= self._train_at:
            self._train_at = _night_after(self._clock.now().astimezone(self._zone))
            await self.train()
        elif self._changed and self._clock.monotonic() - self._kept_at >= KEEP_EVERY_S:
            await self._keep()

    async def _observe(self) -> None:
        """Count every alert that came since the last look."""
        while True:
            arrived, last = await self._vault.read(self._arrived)
            for one in arrived:
                self._scorer.observe(one.kind, one.host, one.at, one.count)
            if last == self._event:
                return
            self._event, self._changed = last, True

    def _arrived(self, connection: Connection) -> tuple[list[Arrived], int]:
        return scores.arrived_since(connection, self._event)

    async def _judge(self, wanted: set[int]) -> None:
        """Judge incidents, many in one transaction: a flood of them must not hold up alerts."""
        now = self._clock.monotonic()
        self._judged_at = {n: at for n, at in self._judged_at.items() if now - at < AGAIN_S}
        soon = wanted & self._judged_at.keys()
        if soon:
            self._wanted |= soon
            asyncio.get_running_loop().call_later(AGAIN_S, self._woken.set)
        ready = sorted(wanted - soon)
        self._judged_at |= dict.fromkeys(ready, now)
        for start in range(0, len(ready), AT_ONCE):
            await self._judge_together(ready[start : start + AT_ONCE])

    async def _judge_together(self, numbers: list[int]) -> None:
        """Judge some incidents; one that cannot be judged does not keep the others from it."""
        found = await self._vault.read(partial(_read, numbers))
        judged: list[tuple[int, str, Score]] = []
        for number, seen, usual in found:

            async def judge(number: int = number, seen: list[Seen] = seen) -> None:
                judged.append((number, *self._highest(seen, usual)))  # noqa: B023 - awaited at once

            await self._enduring.attempt(judge, incident=number)
        if judged:
            await self._vault.write(partial(self._note, judged))

    def _highest(self, seen: list[Seen], usual: Usual) -> tuple[str, Score]:
        now = self._clock.now().astimezone(self._zone)
        hour = now.hour + now.minute / 60
        found = [(one.kind, self._score(one, hour, usual.get(one.kind))) for one in seen]
        best = highest(tuple(score for _, score in found))
        return next((kind, score) for kind, score in found if score is best)

    def _score(self, one: Seen, hour: float, usual: float | None) -> Score:
        around = Circumstances(severity=one.severity, tier=one.tier, hour=hour, ack_s=usual)
        return self._scorer.score(one.kind, one.host, one.at, around)

    def _note(self, judged: list[tuple[int, str, Score]], unit: Unit) -> None:
        for number, kind, best in judged:
            value = None if best.value is None else round(best.value, DIGITS)
            kept = Judged(kind, best.features, value)
            scores.keep_judged(unit.connection, number, kept, at=unit.now)
            if value is not None:
                self._incidents.judging.scored(unit, number, value, best.terms)

    async def _learn(self) -> None:
        """Take what people did since the last look as labels."""
        self._looked_at = self._clock.monotonic()
        now = self._clock.now()
        found = await self._vault.read(lambda c: new_labels(c, now))
        if not found:
            return
        await self._vault.write(partial(keep_labels, found))
        for _, judged, known in found:
            self._scorer.learn(judged.features, known.value)
        self._changed = True

    async def _keep(self) -> None:
        state, event = self._scorer.state(), self._event
        content: dict[str, object] = {"scorer": state, "event": event}
        await self._vault.write(
            lambda unit: learned.keep(unit.connection, _MEMORY, content, at=unit.now, event=event)
        )
        self._kept_at, self._changed = self._clock.monotonic(), False


def _read(numbers: list[int], connection: Connection) -> list[tuple[int, list[Seen], Usual]]:
    """Return what each incident consists of, and how long people usually took for it."""
    usual: Usual = {}
    found = []
    for number in numbers:
        seen = scores.kinds_within(connection, number)
        for kind in {one.kind for one in seen} - usual.keys():
            usual[kind] = scores.median_ack_s(connection, kind)
        if seen:
            found.append((number, seen, usual))
    return found


def _fit(examples: list[Example], now: float) -> Any:  # noqa: ANN401 - named where it is loaded
    from abops.alerts.score.train import train  # noqa: PLC0415 - numpy, only while training

    return train(examples, now)


def _night_after(local: datetime) -> datetime:
    """Return the next time it is night where the platform's people are."""
    night = local.replace(hour=TRAIN_AT, minute=0, second=0, microsecond=0)
    return night if night > local else night + timedelta(days=1)
