"""A bot that polls the API it is given until it is stopped; run by the workload's interpreter."""

import asyncio
import os

from aiogram import Bot, Dispatcher, Router
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.filters import CommandStart
from aiogram.types import Message

from abops_instrument import setup, start_metrics_server
from abops_instrument.telegram import instrument_bot, instrument_dispatcher, poll_is_fresh

router = Router()


@router.message(CommandStart())
async def cmd_start(message: Message) -> None:
    await message.answer("hello")


@router.message()
async def forbidden(message: Message) -> None:
    await message.bot.send_message(403, "you have blocked me")  # type: ignore[union-attr]


async def main() -> None:
    setup("analyticbot-bot", version="0", environment="test", sample_ratio=1.0)
    start_metrics_server(int(os.environ["PROBE_PORT"]), health=poll_is_fresh)
    server = TelegramAPIServer.from_base(os.environ["PROBE_API"])
    bot = Bot(os.environ["PROBE_TOKEN"], session=AiohttpSession(api=server))
    dispatcher = Dispatcher()
    dispatcher.include_router(router)
    instrument_bot(bot)
    instrument_dispatcher(dispatcher)
    await dispatcher.start_polling(bot)


if __name__ == "__main__":
    asyncio.run(main())
