"""Reading all channels, round after round, each with the account it belongs to.

A channel keeps its account. When that account is told to wait it waits and asks again itself;
another one never takes over, because Telegram bans both for it. An account that has lost its
session stays silent until the process is started with a new key, and its channels stand still.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from abops_instrument import gauge
from apps import clock
from apps.mtproto.gateway import (
    GET_FULL_CHANNEL,
    GET_STATE,
    AwayError,
    FloodWaitError,
    RefusedError,
    Session,
    SessionLostError,
)
from apps.storage.engines import is_away
from apps.storage.tables import channel_statistics, channels

log = logging.getLogger("mtproto.app")
CONNECTING, CONNECTED, WAITING, LOST = "connecting", "connected", "flood_wait", "lost"
STATES = (CONNECTING, CONNECTED, WAITING, LOST)
ROWS_AT_ONCE = 50
AWAY_PAUSE_S = 2.0
ATTEMPTS = 3
"""Times that one channel is asked for before it is left to the next round."""

Row = dict[str, Any]


class Account:
    """One session, what it is doing, and the channels that belong to it."""

    def __init__(self, number: int, session: Session) -> None:
        self.number, self.state = number, CONNECTING
        self.is_cut_off = False
        """Whether the last reading ended early, because nobody answered."""
        self._session = session

    async def read(self, channel_ids: Sequence[int], stop: asyncio.Event) -> list[Row]:
        """Return what could be read of these channels now."""
        rows: list[Row] = []
        self.is_cut_off = False
        try:
            if self.state == CONNECTING:
                await self._call(stop, GET_STATE)
            for channel_id in channel_ids:
                if stop.is_set():
                    break
                rows += await self._measure(channel_id, stop)
        except SessionLostError as error:
            self.state = LOST
            log.error("account %d has lost its session: %s", self.number, error)  # noqa: TRY400 - the reason is the message
        except AwayError as error:
            self.is_cut_off = True
            log.warning("account %d: gateway away: %s", self.number, error)
        return rows

    async def _measure(self, channel_id: int, stop: asyncio.Event) -> list[Row]:
        try:
            full = await self._call(stop, GET_FULL_CHANNEL, channel_id=channel_id)
        except RefusedError as error:
            log.info("a channel cannot be read: %s", error)
            return []
        subscribers, online = full.get("participants_count"), full.get("online_count", 0)
        if not isinstance(subscribers, int) or not isinstance(online, int):
            return []
        return [
            {
                "channel_id": channel_id,
                "measured_at": clock.now(),
                "subscribers": subscribers,
                "online": online,
            }
        ]

    async def _call(self, stop: asyncio.Event, method: str, **parameters: int) -> Any:  # noqa: ANN401 - as the method has it
        """Call until there is an answer; wait as long as Telegram wants, however often."""
        attempts = 0
        while True:
            try:
                result = await self._session.call(method, **parameters)
            except FloodWaitError as flood:
                self.state = WAITING
                await pause(stop, flood.seconds)
                if stop.is_set():
                    raise AwayError("stopped") from flood
            except AwayError:
                attempts += 1
                if attempts == ATTEMPTS or stop.is_set():
                    raise
                await pause(stop, AWAY_PAUSE_S)
            else:
                self.state = CONNECTED
                return result


class Collector:
    """All accounts and the table they fill."""

    def __init__(self, engine: AsyncEngine, sessions: Sequence[Session]) -> None:
        self._engine = engine
        self.accounts = [Account(number, session) for number, session in enumerate(sessions, 1)]
        family = gauge("telegram_mtproto_sessions", "Sessions of accounts by state.", ("state",))
        for state in STATES:
            family.labels(state).set_function(partial(self._count, state))

    def _count(self, state: str) -> float:
        return float(sum(account.state == state for account in self.accounts))

    def is_healthy(self) -> bool:
        """Tell whether any account can still read; one that waits can."""
        return any(account.state in {CONNECTED, WAITING} for account in self.accounts)

    async def run(self, interval_s: float, stop: asyncio.Event) -> None:
        """Read all channels every `interval_s`, until `stop` is set."""
        while not stop.is_set():
            began = time.monotonic()
            try:
                await self.read_all(stop)
            except (SQLAlchemyError, OSError) as error:
                if not is_away(error):
                    raise
                log.warning("database away: %s", type(error).__name__)
            left = max(1.0, interval_s - (time.monotonic() - began))
            is_waiting_for_gateway = not self.is_healthy() and self._count(CONNECTING) > 0
            await pause(stop, min(left, AWAY_PAUSE_S) if is_waiting_for_gateway else left)

    async def read_all(self, stop: asyncio.Event) -> None:
        """Read every channel once."""
        async with self._engine.connect() as database:
            found = list(await database.scalars(select(channels.c.id).order_by(channels.c.id)))
        count = len(self.accounts)
        await asyncio.gather(
            *(
                self._read(account, found[place::count], stop)
                for place, account in enumerate(self.accounts)
                if account.state != LOST
            )
        )

    async def _read(self, account: Account, ids: Sequence[int], stop: asyncio.Event) -> None:
        """Read one account's channels, and keep what it has after every few of them."""
        for start in range(0, max(1, len(ids)), ROWS_AT_ONCE):
            rows = await account.read(ids[start : start + ROWS_AT_ONCE], stop)
            if rows:
                async with self._engine.begin() as database:
                    await database.execute(
                        insert(channel_statistics).on_conflict_do_nothing(), rows
                    )
            if stop.is_set() or account.state == LOST or account.is_cut_off:
                return


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait, but not longer than until `stop` is set."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
