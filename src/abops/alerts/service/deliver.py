"""Telling the channels: one worker for each, so that one that hangs delays no other.

A worker takes the next item of its channel from the outbox, composes the message from how things
are now, and sends it. The outcome is written before the next item is taken. Told means the
channel said so.
"""

import asyncio
import contextlib
import random
from typing import Final, get_args

import structlog

from abops.alerts.model import Channel, DeliveryKind, OutboxItem, ServiceConfig, ServiceEvent
from abops.alerts.service import wording
from abops.alerts.service.buttons import identity_of
from abops.alerts.service.channels import (
    Message,
    Said,
    SecretMissingError,
    Sender,
    needs_reference,
    sender_of,
)
from abops.alerts.service.ending import end_tasks
from abops.alerts.service.incidents import Incidents
from abops.alerts.service.metrics import Metrics
from abops.alerts.service.pace import Pace, calls_of, gives_up, retry_in_s
from abops.alerts.service.signing import Signing
from abops.alerts.service.vault import Vault
from abops.alerts.store import hourly, outbox
from abops.alerts.store.records import TimelineRow
from abops.alerts.store.writer import Unit
from abops.clients.notify.receipt import NotAcceptedError
from abops.kernel.clock import Clock
from abops.kernel.errors import OpsError

KINDS: Final[tuple[DeliveryKind, ...]] = get_args(DeliveryKind)
SEND_TIMEOUT_S: Final = 30.0
"""Seconds for one message with its turns; each call inside gives up after 10."""
_IDLE_S: Final = 30.0
_RESTART_S: Final = 1.0
_MEMBERS: Final = 12
_log = structlog.get_logger()


class Delivery:
    """The workers, and how to wake them."""

    def __init__(
        self,
        config: ServiceConfig,
        vault: Vault,
        incidents: Incidents,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._workers = {
            name: _Worker(channel, config, vault, incidents, metrics, clock)
            for name, channel in config.routing.channels.items()
        }
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to tell."""
        self._tasks = [asyncio.create_task(w.run(), name=n) for n, w in self._workers.items()]

    async def stop(self) -> None:
        """Stop; what is being sent is taken up again after the next start."""
        await end_tasks(self._tasks)
        for worker in self._workers.values():
            await worker.close()

    def wake(self, channel: str) -> None:
        """Say that there is something for this channel."""
        if channel in self._workers:
            self._workers[channel].woken.set()


class _Worker:
    """Tells one channel."""

    def __init__(  # noqa: PLR0913, PLR0917 - made in one place, from its parent's parts
        self,
        channel: Channel,
        config: ServiceConfig,
        vault: Vault,
        incidents: Incidents,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self.woken = asyncio.Event()
        self._channel = channel
        self._config = config
        self._vault = vault
        self._incidents = incidents
        self._metrics = metrics
        self._clock = clock
        self._pace = Pace(channel.type)
        self._sender: Sender | None = None
        self._signing = Signing(config)
        self._rest: list[tuple[int, int]] = []
        """Ids and incidents of what is told together with the item that is being sent."""

    async def run(self) -> None:
        """Tell what is due, for ever."""
        while True:
            try:
                await self._step()
            except Exception:  # noqa: BLE001 - the edge of the task: a worker never dies
                _log.exception("a delivery failed unexpectedly", channel=self._channel.name)
                await asyncio.sleep(_RESTART_S)

    async def close(self) -> None:
        """Let go of the channel."""
        if self._sender is not None:
            await self._sender.close()

    async def _step(self) -> None:
        self.woken.clear()
        if (wait := await self._wait()) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self.woken.wait()
            return
        now = self._clock.monotonic()
        ready = [kind for kind in KINDS if self._wait_for(kind, now) <= 0]
        claim = await self._vault.write(lambda unit: self._claim(unit, ready))
        if claim is not None:
            await self._send(claim)

    async def _wait(self) -> float:
        """Return the seconds until something is due that may be told; 0: now."""
        now = self._clock.monotonic()
        waits = {kind: self._wait_for(kind, now) for kind in KINDS}
        ready = [kind for kind, wait in waits.items() if wait <= 0]
        if not ready:
            return min(waits.values())
        due = await self._vault.read(
            lambda connection: outbox.next_due(connection, self._channel.name, kinds=ready)
        )
        idle = min((wait for wait in waits.values() if wait > 0), default=_IDLE_S)
        return idle if due is None else min(due - self._clock.now().timestamp(), idle)

    def _wait_for(self, kind: DeliveryKind, now: float) -> float:
        return self._pace.wait_s(calls_of(self._channel.type, kind)[:1], now)

    def _claim(self, unit: Unit, kinds: list[DeliveryKind]) -> outbox.Claim | None:
        claim = outbox.claim(unit.connection, self._channel.name, now=unit.now, kinds=kinds)
        self._rest = []
        if claim is not None:
            if claim.item.kind == "hourly":
                self._rest = hourly.claim_rest(unit.connection, self._channel.name, unit.now)
            for number in (claim.item.incident, *(incident for _, incident in self._rest)):
                self._incidents.claimed(number, self._channel.name)
        return claim

    async def _send(self, claim: outbox.Claim) -> None:
        item = claim.item
        if needs_reference(self._channel, item.kind) and not claim.reference:
            why = "the channel never took the first message"
            await self._settle(claim, outbox.Outcome("skipped", self._now(), error=why))
            return
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                reference = await self._tell(claim)
        except NotAcceptedError as error:
            await self._not_accepted(claim, error)
        except SecretMissingError as error:
            await self._not_accepted(claim, NotAcceptedError(str(error)))
        except TimeoutError:
            late = NotAcceptedError("no answer in time", outcome_unknown=True)
            await self._not_accepted(claim, late)
        except OpsError as error:
            await self._not_accepted(claim, NotAcceptedError(str(error), final=True))
        else:
            await self._settle(claim, outbox.Outcome("done", self._now(), reference=reference))

    async def _tell(self, claim: outbox.Claim) -> str:
        item = claim.item
        if self._sender is None:
            self._sender = sender_of(self._channel, self._config.endpoints)
        base = self._config.routing.public_url.rstrip("/")
        if item.kind == "hourly":
            await self._sender.say(await self._hour(item, base), self._turn)
            return ""
        detail = await self._vault.incident(item.incident, members=_MEMBERS)
        message = Message(
            kind=item.kind,
            detail=detail,
            url=f"{base}/incidents/{item.incident}",
            identity=identity_of(self._vault.instance, item.incident),
            reference=claim.reference,
            digest=self._incidents.storms.said(item.incident, item.channel),
            ack_url=self._ack_url(item, base),
        )
        return await self._sender.tell(message, self._turn)

    def _ack_url(self, item: OutboxItem, base: str) -> str:
        if self._channel.type != "email":
            return ""
        token = self._signing.sign(
            self._vault.instance, item.incident, self._channel.name, self._now()
        )
        return f"{base}/letters/{token}"

    async def _hour(self, item: OutboxItem, base: str) -> Said:
        numbers = sorted({item.incident, *(incident for _, incident in self._rest)})
        incidents = [await self._vault.summary(number) for number in numbers]
        subject, lines = wording.hourly(incidents, base)
        return Said(subject, lines, f"hourly.{item.id}.{self._channel.name}")

    async def _turn(self, call: str) -> None:
        await asyncio.sleep(self._pace.wait_s((call,), self._clock.monotonic()))
        self._pace.spend(call, self._clock.monotonic())

    async def _not_accepted(self, claim: outbox.Claim, error: NotAcceptedError) -> None:
        item = claim.item
        if error.retry_after_s is not None:
            self._pace.pause(error.retry_after_s, self._clock.monotonic())
        if error.outcome_unknown and item.page:
            self._metrics.duplicate_pages.inc()
        now = self._now()
        if error.final and self._sender is not None:
            await self._sender.close()
            self._sender = None  # the secret may be replaced: read it again next time
        if error.final or gives_up(item, self._clock.now()):
            outcome = outbox.Outcome("dead", now, error=str(error))
        else:
            jitter = random.random()  # noqa: S311 - spreads retries, guards nothing
            wait = retry_in_s(item.attempts + 1, asked_s=error.retry_after_s, jitter=jitter)
            outcome = outbox.Outcome("retry", now, next_at=now + wait, error=str(error))
        _log.warning(
            "a channel has not accepted a message",
            channel=item.channel,
            incident=item.incident,
            kind=item.kind,
            state=outcome.state,
            reason=str(error),
        )
        await self._settle(claim, outcome)

    async def _settle(self, claim: outbox.Claim, outcome: outbox.Outcome) -> None:
        while True:  # a message that was sent must not be sent again for want of this line
            try:
                await self._vault.write(lambda unit: self._write(unit, claim.item, outcome))
                break
            except OpsError:
                await asyncio.sleep(_RESTART_S)
        self._metrics.attempted(claim, outcome)

    def _write(self, unit: Unit, item: OutboxItem, outcome: outbox.Outcome) -> None:
        outbox.settle(unit.connection, item.id, outcome)
        for other, _ in self._rest:
            outbox.settle(unit.connection, other, outcome)
        if outcome.state == "dead" and item.kind != "hourly":
            self._incidents.fall_back(unit, item, "gave up")
        if outcome.state in ("done", "dead") and item.kind != "update":
            word = "told" if outcome.state == "done" else f"not told: {outcome.error}"
            text = f"{item.channel}: {word} ({item.kind})"
            for number in (item.incident, *(incident for _, incident in self._rest)):
                outbox.note(unit.connection, TimelineRow(number, unit.now, "told", text))
                unit.events.append(ServiceEvent("delivered", number, self._clock.now()))
            return
        unit.events.append(ServiceEvent("delivered", item.incident, self._clock.now()))

    def _now(self) -> float:
        return self._clock.now().timestamp()
