"""Who calls whom, as traces show it: asked every five minutes, beside what platform.yaml says.

A call that was seen counts for a day. What nobody wrote down (a service calls another since the
last release) joins alerts and leads to causes like what is written.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

from abops.alerts.correlate.topology import LIVES_S
from abops.alerts.model import ServiceConfig
from abops.alerts.service.incidents import Incidents
from abops.alerts.service.vault import Vault
from abops.clients.jaeger import Jaeger
from abops.kernel.clock import Clock

ASK_EVERY_S: Final = 300.0
LOOK_BACK: Final = timedelta(hours=1)
_TIMEOUT_S: Final = 10.0

Call = tuple[str, str]
"""Caller and callee."""


class Calls:
    """What calls what: configured for good, seen for a day."""

    def __init__(
        self, config: ServiceConfig, vault: Vault, incidents: Incidents, clock: Clock
    ) -> None:
        self._configured = config.calls
        self._jaeger = config.jaeger_url
        self._prefix = f"{config.name}-"
        self._vault = vault
        self._incidents = incidents
        self._clock = clock
        self._seen: dict[Call, float] = {}

    def known(self) -> tuple[Call, ...]:
        """Return every call that counts now."""
        now = self._clock.now().timestamp()
        seen = (call for call, at in self._seen.items() if at + LIVES_S >= now)
        return tuple(dict.fromkeys((*self._configured, *seen)))

    async def run(self) -> None:
        """Ask for ever; without traces there is nothing to ask."""
        while self._jaeger:
            await self.ask(self._jaeger)
            await asyncio.sleep(ASK_EVERY_S)
        await asyncio.Event().wait()

    async def ask(self, url: str) -> None:
        """Ask which calls were made of late and tell the correlator. Raises TraceStoreError."""
        now = self._clock.now().astimezone(UTC)
        found = await asyncio.to_thread(_made, url, now)
        calls = tuple((self._bare(caller), self._bare(callee)) for caller, callee in found)
        at = now.timestamp()
        self._seen = {call: seen for call, seen in self._seen.items() if seen + LIVES_S >= at}
        self._seen |= dict.fromkeys(calls, at)
        if calls:
            await self._vault.write(lambda unit: self._incidents.saw_calls(calls, unit.now))

    def _bare(self, service: str) -> str:
        """Return the part's own name: in traces it stands behind the platform's."""
        return service.removeprefix(self._prefix)


def _made(url: str, now: datetime) -> tuple[Call, ...]:
    jaeger = Jaeger(url, timeout_s=_TIMEOUT_S)
    try:
        return jaeger.calls(now - LOOK_BACK, now)
    finally:
        jaeger.close()
