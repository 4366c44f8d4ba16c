"""Taking in alerts and changes: decoded, committed, and only then answered."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from abops.alerts.ingest.changes import Change, decode_changes
from abops.alerts.ingest.sources import Source, decode_from
from abops.alerts.ingest.webhook import MalformedBodyError
from abops.alerts.model import AlertEvent, IngestResult, ServiceConfig
from abops.alerts.service import orders
from abops.alerts.service.expiry import Expiry, said_of
from abops.alerts.service.metrics import Metrics
from abops.alerts.service.vault import OverloadedError, Vault
from abops.alerts.store import changes
from abops.alerts.store.changes import StoredChange
from abops.alerts.store.database import StoreUnavailableError
from abops.alerts.store.events import keep_rejected
from abops.kernel.clock import Clock

KEPT_OF_A_REJECTED_BODY: Final = 65_536


class Intake:
    """The part of the alert service that others send to."""

    config: ServiceConfig
    clock: Clock
    _vault: Vault
    _metrics: Metrics
    _expiry: Expiry
    _compare_now: asyncio.Event

    async def ingest(self, body: bytes, source: Source = "alertmanager") -> IngestResult:
        """Store the alerts of one body in its sender's form; return once they are on disk.

        Raises MalformedBodyError when the body is not in that form, OverloadedError or
        StoreUnavailableError when the sender should come back later.
        """
        volatile = self.config.settings.volatile_labels
        try:
            decoded = decode_from(source, body, volatile, self.clock.now())
        except MalformedBodyError as error:
            self._count(source, "rejected", 1)
            await self._keep_rejected_body(source, body, error)
            raise
        total = len(decoded.events)
        rejected = [(r.position, r.error, r.content) for r in decoded.rejected]
        try:
            accepted = await self._vault.store(decoded.events, rejected, source=source)
        except (OverloadedError, StoreUnavailableError):
            self._count(source, "refused", total)
            raise
        if source != "alertmanager" and decoded.events:
            await self._remember(decoded.events, decoded.due)
        self._count(source, "accepted", accepted)
        self._count(source, "duplicate", total - accepted)
        self._count(source, "rejected", len(rejected))
        if decoded.truncated and source == "alertmanager":
            self._compare_now.set()
        return IngestResult(accepted, total - accepted, len(rejected))

    async def _remember(self, events: Sequence[AlertEvent], due: Mapping[str, float]) -> None:
        """Note when these alerts end by themselves, where that is watched."""
        if not self._vault.leads:
            await self._vault.order(orders.SAID, said_of(events, due))
        elif self._expiry.said(events, due):
            await self._vault.write(lambda unit: self._expiry.keep(unit, at_once=True))

    async def record_changes(self, body: bytes) -> IngestResult:
        """Keep what was changed, once each; raises MalformedBodyError."""
        found = decode_changes(body, self.clock.now())
        rows = [_row(key, at, change) for key, at, change in found]
        added = await self._vault.write(
            lambda unit: changes.add(unit.connection, rows), anywhere=True
        )
        return IngestResult(added, len(rows) - added, 0)

    async def changes(
        self, since: float, until: float, *, service: str = "", limit: int = 100
    ) -> Sequence[StoredChange]:
        """Return what was changed in a time, the newest first."""
        return await self._vault.read(
            lambda c: changes.between(c, since, until, service=service, limit=limit)
        )

    async def _keep_rejected_body(
        self, source: Source, body: bytes, error: MalformedBodyError
    ) -> None:
        content = body[:KEPT_OF_A_REJECTED_BODY]
        await self._vault.write(
            lambda unit: keep_rejected(
                unit.connection, [(error.position, str(error), content)], at=unit.now, source=source
            ),
            anywhere=True,
        )

    def _count(self, source: Source, result: str, amount: int) -> None:
        if amount:
            self._metrics.received.labels(source, result).inc(amount)


def _row(key: str, at: float, change: Change) -> tuple[str, float, str, str, str, str, str, str]:
    return (
        key,
        at,
        change.kind,
        change.service,
        change.env,
        change.title,
        change.url,
        change.actor,
    )
