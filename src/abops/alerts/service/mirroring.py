"""Having Alertmanager know the silences, for what it pages past this service.

What stands there is held against what should, a few seconds after every change and once a minute
anyhow: so a restart, a second Alertmanager without memory, or somebody who ends one of ours there
make no difference for long. Silences of others are left alone.
"""

import asyncio
from typing import Final

import structlog

from abops.alerts.model import ServiceConfig
from abops.alerts.route.mirror import Mirrored, mirrored
from abops.alerts.service.enduring import Enduring
from abops.alerts.service.hush import quiet_of
from abops.alerts.service.metrics import Metrics
from abops.alerts.service.vault import Vault
from abops.alerts.store import duty as rows
from abops.alerts.store.database import Connection
from abops.clients.silences import ListedSilence, SilenceMatcher, Silences
from abops.kernel.clock import Clock, moment

LOOK_EVERY_S: Final = 2.0
COMPARE_EVERY_S: Final = 60.0
AGAIN_S: Final = 10.0
"""Seconds after Alertmanager did not answer."""
AUTHOR: Final = "abops"
_SAME_S: Final = 1.0
_log = structlog.get_logger()


class Mirroring:
    """Keeps the silences of one Alertmanager like ours."""

    def __init__(self, config: ServiceConfig, vault: Vault, metrics: Metrics, clock: Clock) -> None:
        self._url = config.alertmanager_url
        self._vault = vault
        self._clock = clock
        self._enduring = Enduring("silences", metrics)
        self._standing = metrics.silences_mirrored
        self._known: dict[str, Mirrored] | None = None
        self._compared_at = 0.0

    async def run(self) -> None:
        """Compare, for ever; without an Alertmanager there is nothing to do."""
        while True:
            wait = LOOK_EVERY_S
            if self._url is not None and not await self._enduring.attempt(self.look):
                self._known, wait = None, AGAIN_S  # what stands there is not known
            await asyncio.sleep(wait)

    async def look(self) -> None:
        """Compare if anything changed, or if that was long ago."""
        now = self._clock.now().timestamp()
        wanted = await self._vault.read(lambda c: _wanted(c, now))
        late = self._clock.monotonic() - self._compared_at >= COMPARE_EVERY_S
        if wanted == self._known and not late:
            return
        await asyncio.to_thread(self._compare, wanted)
        self._known, self._compared_at = wanted, self._clock.monotonic()
        self._standing.set(len(wanted))

    def _compare(self, wanted: dict[str, Mirrored]) -> None:
        """Make what is missing there, end what should not be."""
        client = Silences(str(self._url))
        mark = f"abops-{self._vault.instance:08x} "
        try:
            standing: dict[str, ListedSilence] = {}
            for one in client.listed(AUTHOR):
                if not one.comment.startswith(mark):
                    continue  # another installation's
                key = one.comment.removeprefix(mark).partition(":")[0]
                known = wanted.get(key)
                if known is None or key in standing or not _same(one, known):
                    client.end(one.id)
                else:
                    standing[key] = one
            for key in wanted.keys() - standing.keys():
                self._make(client, wanted[key], mark)
        finally:
            client.close()

    def _make(self, client: Silences, one: Mirrored, mark: str) -> None:
        client.make(
            _matchers(one),
            since=max(moment(one.starts_at), self._clock.now()),
            until=moment(one.ends_at),
            by=AUTHOR,
            comment=f"{mark}{one.key}: {one.reason}",
        )
        _log.info("a silence was made in Alertmanager as well", silence=one.key)


def _wanted(connection: Connection, now: float) -> dict[str, Mirrored]:
    known = [quiet_of("silence", row) for row in rows.silences(connection, now)]
    known += [quiet_of("window", row) for row in rows.windows(connection, now)]
    return mirrored(known, now)


def _matchers(one: Mirrored) -> tuple[SilenceMatcher, ...]:
    return tuple(
        SilenceMatcher(
            matcher.label,
            matcher.value,
            is_regex="~" in matcher.operator,
            is_equal=not matcher.operator.startswith("!"),
        )
        for matcher in one.matchers
    )


def _same(standing: ListedSilence, wanted: Mirrored) -> bool:
    late_s = abs(standing.ends_at.timestamp() - wanted.ends_at)
    return late_s < _SAME_S and set(standing.matchers) == set(_matchers(wanted))
