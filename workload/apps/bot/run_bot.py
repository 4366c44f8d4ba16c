"""The Telegram bot: `python -m apps.bot.run_bot`. Exactly one may poll; a second gets 409.

With TELEGRAM_WEBHOOK_URL Telegram delivers instead (`apps.bot.webhook`), and several may run.

It waits for Telegram when Telegram is away, at its start too. Only a token that Telegram does
not know ends it: no waiting makes that one right.
"""

import asyncio
import contextlib
import logging
import signal
import sys

from aiogram import Bot, Dispatcher
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import TelegramAPIError, TelegramUnauthorizedError
from aiogram.utils.backoff import BackoffConfig

from abops_instrument import setup, start_metrics_server
from abops_instrument.telegram import instrument_bot, instrument_dispatcher, poll_is_fresh
from apps import VERSION
from apps.bot.handlers import router
from apps.bot.session import MeasuredSession
from apps.bot.store import BotStore
from apps.bot.webhook import PortTakenError, Webhook
from apps.settings import Settings, SettingsError, settings

log = logging.getLogger("bot.app")
DEFAULT_METRICS_PORT = 9541
REQUEST_TIMEOUT_S = 10
ASK_AGAIN_AFTER_S = 2.0
BACKOFF = BackoffConfig(min_delay=0.5, max_delay=3.0, factor=1.5, jitter=0.1)


async def run(config: Settings, port: int) -> int:
    """Take updates until a signal comes; return the exit code."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    # aiogram waits its timeout on top of the poll's own: a poll that hangs ends after both.
    session = MeasuredSession(
        api=TelegramAPIServer.from_base(config.telegram_api_url), timeout=REQUEST_TIMEOUT_S
    )
    bot = Bot(config.bot_token, session=session)
    instrument_bot(bot)
    if config.faults_enabled:
        from apps.bot.fault_effects import stall_polls  # noqa: PLC0415 - never in production

        session.middleware(stall_polls)
    dispatcher = Dispatcher()
    dispatcher.include_router(router)
    instrument_dispatcher(dispatcher)
    store = BotStore(config)
    dispatcher["store"] = store
    faults = _follow_faults(config)
    try:
        if config.webhook_url:
            await Webhook(bot, dispatcher, config).serve(port, stop)
        elif await _greeted(bot, stop):
            await _poll(bot, dispatcher, config, stop)
    except TelegramUnauthorizedError:
        log.critical("Telegram does not know this token: set BOT_TOKEN")
        return 1
    finally:
        if faults is not None:
            faults.cancel()
        await store.close()
        await session.close()
    return 0


def _follow_faults(config: Settings) -> asyncio.Task[None] | None:
    if not config.faults_enabled:
        return None
    from apps.bot.fault_effects import follow  # noqa: PLC0415 - never in production

    return asyncio.create_task(follow())


async def _greeted(bot: Bot, stop: asyncio.Event) -> bool:
    """Wait until Telegram lets us poll; False when we are to stop before."""
    while not stop.is_set():
        try:
            await bot.me()
            await bot.delete_webhook()  # or every poll would be answered with 409
        except TelegramUnauthorizedError:
            raise
        except TelegramAPIError as error:
            log.warning("Telegram away: %s", type(error).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), ASK_AGAIN_AFTER_S)
        else:
            return True
    return False


async def _poll(bot: Bot, dispatcher: Dispatcher, config: Settings, stop: asyncio.Event) -> None:
    polling = asyncio.create_task(
        dispatcher.start_polling(
            bot,
            polling_timeout=config.poll_timeout_s,
            backoff_config=BACKOFF,
            handle_signals=False,
            close_bot_session=False,
            allowed_updates=dispatcher.resolve_used_update_types(),
        )
    )
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({polling, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not polling.done():
        with contextlib.suppress(RuntimeError):  # it had not begun
            await dispatcher.stop_polling()
    stopping.cancel()
    await polling


def main() -> int:
    """Start the bot, and its metrics on METRICS_PORT."""
    try:
        config = settings()
    except SettingsError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    setup("analyticbot-bot", version=VERSION, environment=config.environment, dataset="bot.updates")
    port = config.metrics_port or DEFAULT_METRICS_PORT
    try:
        if not config.webhook_url:
            _start_metrics(config, port)
        return asyncio.run(run(config, port))
    except PortTakenError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1


def _start_metrics(config: Settings, port: int) -> None:
    """Serve metrics and health beside the polling."""
    try:
        start_metrics_server(
            port, host=config.metrics_host, health=lambda: poll_is_fresh(config.bot_poll_stall_s)
        )
    except OSError as error:
        raise PortTakenError(f"METRICS_PORT {port}: {error.strerror}") from error


if __name__ == "__main__":
    sys.exit(main())
