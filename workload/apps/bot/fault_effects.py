"""What the fault switches do to the bot. Loaded only with WORKLOAD_FAULTS=1."""

import asyncio
from typing import Any

from aiogram import Bot
from aiogram.client.session.middlewares.base import NextRequestMiddlewareType
from aiogram.methods import Response, TelegramMethod
from aiogram.methods.get_updates import GetUpdates

from apps.fault_process import ProcessFaults
from apps.faults import switches

LOOK_EVERY_S = 0.25


async def stall_polls(
    make_request: NextRequestMiddlewareType[Any], bot: Bot, method: TelegramMethod[Any]
) -> Response[Any]:
    """Hold polls back while `poll_stall` is on: before they leave, and with their answer."""
    if not isinstance(method, GetUpdates):
        return await make_request(bot, method)
    await _while_stalled()
    answer = await make_request(bot, method)
    await _while_stalled()
    return answer


async def _while_stalled() -> None:
    # A file is looked at: there is no event to wait for.
    while switches().active("poll_stall") is not None:  # noqa: ASYNC110
        await asyncio.sleep(LOOK_EVERY_S)


async def follow() -> None:
    """Follow the switches of the whole process until cancelled."""
    process = ProcessFaults("bot")
    while True:
        process.act()
        await asyncio.sleep(LOOK_EVERY_S)
