"""What the stub knows: updates that wait for the bot, messages that were sent.

Its rules are the Bot API's own: an update waits until an offset above its number is asked for;
a second poller throws the first one out; a chat that has blocked the bot refuses it; more than
thirty messages a second are too many.
"""

import asyncio
import contextlib
import itertools
import random
import time
from collections import Counter, deque
from collections.abc import Container
from dataclasses import dataclass
from typing import Any

from apps import clock

MESSAGES_PER_S = 30
REMEMBERED = 2000
WAITING_AT_MOST = 10_000
BLOCKED_EVERY = 97
"""Of the chats one in so many has blocked the bot."""

Json = dict[str, Any]


class TooManyError(Exception):
    """More than thirty messages in a second."""


class ConflictError(Exception):
    """Another poller has taken over, or a webhook is set."""


@dataclass
class Webhook:
    """Where updates are delivered, and how that went."""

    url: str
    secret: str
    connections: int = 40
    last_error_date: int = 0
    last_error_message: str = ""


class StubState:
    """One bot's side of Telegram."""

    def __init__(self) -> None:
        self._updates: deque[Json] = deque(maxlen=WAITING_AT_MOST)
        self._update_ids = itertools.count(1)
        self._message_ids = itertools.count(1)
        self._arrived = asyncio.Event()
        self._poller = 0
        self.webhook: Webhook | None = None
        self.polling = 0
        """How many pollers wait now."""
        self._second = 0
        self._sent_this_second = 0
        self.messages: deque[Json] = deque(maxlen=REMEMBERED)
        self.calls: Counter[str] = Counter()

    @property
    def pending(self) -> int:
        """Return how many updates wait."""
        return len(self._updates)

    def add_update(self, update: Json) -> int:
        """Let an update arrive and return its number."""
        update_id = next(self._update_ids)
        self._updates.append({"update_id": update_id, **update})
        self._arrived.set()
        return update_id

    def set_webhook(self, webhook: Webhook | None) -> None:
        """Deliver there from now on, or nowhere; whoever polls is thrown out."""
        self.webhook = webhook
        self._poller += 1
        self._arrived.set()

    def forget_updates(self) -> None:
        """Drop what waits."""
        self._updates.clear()

    def waiting(self, limit: int) -> list[Json]:
        """Return the oldest updates."""
        return list(itertools.islice(self._updates, limit))

    def delivered(self, update_ids: Container[int]) -> None:
        """Drop updates that the webhook has taken."""
        kept = [update for update in self._updates if update["update_id"] not in update_ids]
        self._updates.clear()
        self._updates.extend(kept)

    async def change(self, timeout_s: float) -> None:
        """Wait until an update arrives or the webhook changes, but not for longer."""
        self._arrived.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._arrived.wait()

    async def poll(self, offset: int, limit: int, timeout_s: float) -> list[Json]:
        """Return what waits, or wait for it; raise ConflictError when another poller comes."""
        if self.webhook is not None:
            raise ConflictError
        self._poller = mine = self._poller + 1
        self._arrived.set()  # wakes the poller before, which finds itself replaced
        while self._updates and self._updates[0]["update_id"] < offset:
            self._updates.popleft()
        self.polling += 1
        try:
            await self._wait_for_update(mine, timeout_s)
        finally:
            self.polling -= 1
        return list(itertools.islice(self._updates, limit))

    async def _wait_for_update(self, mine: int, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not self._updates and (left := deadline - time.monotonic()) > 0:
            self._arrived.clear()
            try:
                async with asyncio.timeout(left):
                    await self._arrived.wait()
            except TimeoutError:
                return
            if self._poller != mine:
                raise ConflictError

    def take_message(self, chat_id: int, text: str) -> Json:
        """Take one message and return it as Telegram shows it."""
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._sent_this_second = second, 0
        self._sent_this_second += 1
        if self._sent_this_second > MESSAGES_PER_S:
            raise TooManyError
        message = {
            "message_id": next(self._message_ids),
            "date": int(clock.epoch_s()),
            "chat": {"id": chat_id, "type": "private"},
            "text": text,
        }
        self.messages.append(message)
        return message


def is_blocked(chat_id: int) -> bool:
    """Tell whether this chat has blocked the bot: always the same chats."""
    return chat_id % BLOCKED_EVERY == 0


def draw_update(die: random.Random, users: range) -> Json:
    """Return what a user of the bot does next."""
    user_id = die.choice(users)
    person = {"id": user_id, "is_bot": False, "first_name": f"User {user_id}"}
    chat = {"id": user_id, "type": "private", "first_name": person["first_name"]}
    message: Json = {
        "message_id": die.randrange(1, 10**9),
        "date": int(clock.epoch_s()),
        "chat": chat,
        "from": person,
    }
    kind = die.choices(("start", "stats", "button", "text"), weights=(15, 45, 25, 15))[0]
    if kind == "button":
        return {
            "callback_query": {
                "id": str(die.randrange(10**12)),
                "from": person,
                "chat_instance": str(chat["id"]),
                "message": {**message, "text": "Your channels"},
                "data": "stats:week",
            }
        }
    if kind == "text":
        return {"message": {**message, "text": "hello"}}
    command = f"/{kind}"
    entities = [{"type": "bot_command", "offset": 0, "length": len(command)}]
    return {"message": {**message, "text": command, "entities": entities}}
