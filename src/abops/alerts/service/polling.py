"""Fetching from Telegram which buttons were pressed, where Telegram cannot reach this service.

Telegram lets one program at a time wait for a bot's updates, so the bot has to be this
platform's own, and of several replicas only the leading one waits. What is fetched is done with
only when the next call says so: after a crash it comes again, and is recognised.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from abops.alerts.ingest.callbacks import (
    Spoken,
    UnreadableCallbackError,
    telegram_press,
    telegram_spoken,
    telegram_updates,
)
from abops.alerts.model import ServiceConfig
from abops.alerts.service.callbacks import Callbacks, telegram_tokens
from abops.alerts.service.ending import end_tasks
from abops.clients.notify.receipt import NotAcceptedError
from abops.clients.notify.telegram import Telegram

WAIT_S: Final = 50
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0
_log = structlog.get_logger()


class Polling:
    """One worker for each bot."""

    def __init__(
        self, config: ServiceConfig, callbacks: Callbacks, leads: Callable[[], bool]
    ) -> None:
        self._config = config
        self._leads = leads
        self._callbacks = callbacks
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to wait for buttons."""
        tokens = telegram_tokens(self._config)
        self._tasks = [
            asyncio.create_task(self._poll(token), name=f"telegram-{name}")
            for name, token in tokens.items()
        ]

    async def stop(self) -> None:
        """Stop; what is waiting at Telegram stays there."""
        await end_tasks(self._tasks)

    async def _poll(self, token: str) -> None:
        telegram = Telegram(token, url=self._config.endpoints.telegram_url)
        last = 0
        pause = _FIRST_PAUSE_S
        try:
            while True:
                if not self._leads():
                    await asyncio.sleep(_FIRST_PAUSE_S)
                    continue
                try:
                    found = await telegram.updates(after=last, timeout_s=WAIT_S)
                    for number, update in telegram_updates(found):
                        if not await answer_update(self._callbacks, telegram, update):
                            await asyncio.sleep(pause)
                            break
                        last = max(last, number)
                    pause = _FIRST_PAUSE_S
                except NotAcceptedError as error:
                    _log.warning("Telegram's buttons cannot be fetched", reason=str(error))
                    await asyncio.sleep(max(pause, error.retry_after_s or 0.0))
                    pause = min(pause * 2, _LONGEST_PAUSE_S)
                except Exception:  # noqa: BLE001 - the edge of the task: it never dies
                    _log.exception("a press in Telegram failed unexpectedly")
                    await asyncio.sleep(pause)
        finally:
            await telegram.close()


async def answer_update(callbacks: Callbacks, telegram: Telegram, update: bytes) -> bool:
    """Do what one update asks for and tell the person; False: it should be delivered again."""
    try:
        press, spoken = telegram_press(update), telegram_spoken(update)
    except UnreadableCallbackError:
        return True
    if spoken is not None:
        await _answer_spoken(callbacks, telegram, spoken)
    if press is None:
        return True
    answer = await callbacks.take(press)
    try:
        await telegram.answer(press.id, answer.text, alert=not answer.done)
    except NotAcceptedError as error:  # the press counts; only its spinner goes on
        _log.warning("Telegram did not take an answer", reason=str(error))
    return not answer.again


async def _answer_spoken(callbacks: Callbacks, telegram: Telegram, spoken: Spoken) -> None:
    said = await callbacks.hear(spoken)
    try:
        await telegram.send(spoken.place, said)
    except NotAcceptedError as error:  # the link counts; only nobody says so
        _log.warning("Telegram did not take an answer", reason=str(error))
