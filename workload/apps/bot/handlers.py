"""What the bot says. The names of these functions are the label `handler` of its metrics."""

import logging

from aiogram import F, Router
from aiogram.exceptions import TelegramForbiddenError
from aiogram.filters import Command, CommandStart
from aiogram.types import CallbackQuery, ErrorEvent, Message
from sqlalchemy.exc import SQLAlchemyError

from apps.bot.store import BotStore
from apps.storage.engines import is_away

router = Router(name="analyticbot")
log = logging.getLogger("bot.updates")


@router.message(CommandStart())
async def start(message: Message, store: BotStore) -> None:
    """Greet a user."""
    if message.from_user is not None:
        await store.saw(message.from_user.id)
    await message.answer("Welcome. /stats shows your channels.")


@router.message(Command("stats"))
async def stats(message: Message, store: BotStore) -> None:
    """Show a user's figures."""
    if message.from_user is None:
        return
    await store.saw(message.from_user.id)
    await message.answer(_as_text(await store.stats(message.from_user.id)))


@router.callback_query(F.data.startswith("stats:"))
async def stats_button(query: CallbackQuery, store: BotStore) -> None:
    """Answer a pressed button."""
    await query.answer(_as_text(await store.stats(query.from_user.id)))


@router.message()
async def anything_else(message: Message) -> None:
    """Say what can be said."""
    await message.answer("I know /start and /stats.")


@router.error()
async def failed(event: ErrorEvent) -> bool:
    """Tell what went wrong, and go on; updates are not asked for again."""
    error = event.exception
    if isinstance(error, TelegramForbiddenError):
        log.info("the user has blocked the bot")
    elif isinstance(error, SQLAlchemyError | OSError) and is_away(error):
        log.warning("database away: %s", type(error).__name__)
    else:
        log.error("an update failed", exc_info=error)
    return True


def _as_text(stats: dict[str, int]) -> str:
    return f"{stats['channels']} channels, {stats['posts']} posts sent."
