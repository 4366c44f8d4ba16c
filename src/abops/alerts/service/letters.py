"""The weekly letter: on Monday at eight, once, whatever restarts in between.

Which channel has this week's letter is written down as soon as its mail server took it. A server
that does not take it is asked again all Monday. A service that starts for the first time on a
Monday has nothing to tell and waits for the next one.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
import structlog

from abops.alerts.model import ServiceConfig
from abops.alerts.service.channels import SecretMissingError, mailbox_of
from abops.alerts.service.report import WeeklyReport
from abops.alerts.service.vault import Vault
from abops.alerts.store import learned
from abops.clients.notify.email import Letter
from abops.clients.notify.receipt import NotAcceptedError
from abops.kernel.clock import Clock
from abops.kernel.errors import OpsError

LOOK_EVERY_S: Final = 60.0
AT: Final = 8
"""Hour of the Monday, by `alerts.tz`."""
WITHIN: Final = timedelta(hours=16)
"""Until when it is tried: a letter about last week is read on Monday or not at all."""
_MEMORY: Final = "weekly-letter"
_log = structlog.get_logger()


class Letters:
    """Sends the weekly letter to the channels of `alerts.summaries`."""

    def __init__(
        self,
        config: ServiceConfig,
        vault: Vault,
        clock: Clock,
        write: Callable[[str], Awaitable[WeeklyReport]],
    ) -> None:
        self._config = config
        self._vault = vault
        self._clock = clock
        self._write = write
        self._alone = asyncio.Lock()

    async def run(self) -> None:
        """Send what is due, for ever."""
        while True:
            try:
                await self.look()
            except OpsError as error:
                _log.warning("the weekly letter was not sent", reason=str(error))
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> tuple[str, ...]:
        """Send this week's letter to whom has not got it; return the channels that took it."""
        async with self._alone:
            return await self._look()

    async def _look(self) -> tuple[str, ...]:
        channels = self._config.routing.summaries
        now = self._clock.now().astimezone(ZoneInfo(self._config.routing.tz))
        week, due = f"{now:%G-W%V}", _due(now)
        if not channels:
            return ()
        kept = await self._vault.read(lambda c: learned.recall(c, _MEMORY))
        if kept is None:  # the first start: what was before it is not known
            await self._remember(week, channels if now >= due else ())
            return ()
        told = msgspec.convert(kept["told"], list[str]) if kept.get("week") == week else []
        left = [name for name in channels if name not in told]
        if not left or not due <= now < due + WITHIN:
            return ()
        report = await self._write(self._config.name)
        sent = [name for name in left if await self._send(report, name, week)]
        if sent:
            await self._remember(week, (*told, *sent))
        return tuple(sent)

    async def _send(self, report: WeeklyReport, name: str, week: str) -> bool:
        channel = self._config.routing.channels[name]
        identity = message_id(week, self._config.name, name)
        letter = Letter(channel.to, report.subject, report.text, identity, html=report.html)
        try:
            await mailbox_of(channel, self._config.endpoints).send(letter)
        except (NotAcceptedError, SecretMissingError) as error:
            _log.warning("the weekly letter was not taken", channel=name, reason=str(error))
            return False
        return True

    async def _remember(self, week: str, told: tuple[str, ...]) -> None:
        content: dict[str, object] = {"week": week, "told": told}
        await self._vault.write(
            lambda unit: learned.keep(unit.connection, _MEMORY, content, at=unit.now)
        )


def message_id(week: str, name: str, channel: str) -> str:
    """Name a week's letter, so that a mailbox recognizes a repeat."""
    return f"<weekly.{week}.{name}.{channel}@abops>"


def _due(now: datetime) -> datetime:
    """Return Monday at eight of this week."""
    monday = now - timedelta(days=now.weekday())
    return monday.replace(hour=AT, minute=0, second=0, microsecond=0)
