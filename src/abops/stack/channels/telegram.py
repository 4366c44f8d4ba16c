"""Telegram's Bot API, as far as an alerting bot needs it, with its limits.

Documented: one message a second in a chat, 20 a minute in a group, 30 a second for a bot, 4,096
characters a text after its markup is read, 64 bytes of callback_data. The wait after a 429 is in
`parameters.retry_after`. Only one `getUpdates` may wait: a newer one ends the older with 409.
"""

import asyncio
import contextlib
import math
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from abops.stack.channels.control import BodyTooLargeError, FaultAnswer, read_body
from abops.stack.channels.desk import Desk
from abops.stack.channels.limits import Limit, SlidingWindow, TokenBucket, admit
from abops.stack.channels.severity import severity_in
from abops.stack.channels.telegram_message import (
    Arguments,
    BotRefusal,
    bad,
    chat_of,
    checked_text,
    too_many,
    whole,
)

CHANNEL: Final = "telegram"
BROKEN: Final = FaultAnswer(502, b'{"ok":false,"error_code":502,"description":"Bad Gateway"}')
_BODY_BYTES: Final = 1 << 20
_SHORT_BURST: Final = 3  # Telegram allows "short bursts" without a number
_LONGEST_POLL_S: Final = 50
_CHAT: Final = re.compile(r"-?[1-9][0-9]{0,15}|@[A-Za-z][A-Za-z0-9_]{4,31}")
_CONFLICT: Final = (
    "Conflict: terminated by other getUpdates request; make sure that only one bot instance is "
    "running"
)
_WAITING: Final = frozenset({"getupdates"})
_NOT_MODIFIED: Final = "Bad Request: message is not modified"
_BOT: Final = {"id": 7_000_000_001, "is_bot": True, "first_name": "abops", "username": "abops_bot"}

Method = Callable[[Arguments], Awaitable[Any]]


def overloaded(retry_after: int) -> FaultAnswer:
    """Return Telegram's answer to too many requests."""
    return FaultAnswer(429, msgspec.json.encode(too_many(retry_after).body()))


class Bot:
    """One bot: its messages, its allowances and the updates that wait to be fetched."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        clock = desk.clock
        self._chat = TokenBucket(
            "1 message a second per chat", rate_per_s=1, burst=_SHORT_BURST, clock=clock
        )
        self._group = SlidingWindow(
            "20 messages a minute per group", count=20, window_s=60, clock=clock
        )
        self._all = SlidingWindow("30 messages a second", count=30, window_s=1, clock=clock)
        self.messages: dict[tuple[str, int], Arguments] = {}
        self._last_message = 0
        self._updates: list[dict[str, Any]] = []
        self._last_update = 0
        self._poll: asyncio.Future[None] | None = None
        self._queries: set[str] = set()
        for record in desk.recorder.received(CHANNEL):
            if number := record.answer.get("message_id"):
                self.messages[record.destination, number] = record.payload
                self._last_message = max(self._last_message, number)

    async def me(self, _given: Arguments) -> dict[str, Any]:
        """getMe: say which bot the token belongs to."""
        return {**_BOT, "can_join_groups": True, "can_read_all_group_messages": False}

    async def chat(self, given: Arguments) -> dict[str, Any]:
        """getChat: describe a chat."""
        return chat_of(self._chat_id(given))

    async def send(self, given: Arguments) -> dict[str, Any]:
        """sendMessage: accept a text."""
        chat_id = self._chat_id(given)
        plain = checked_text(given)
        self._admit(chat_id)
        self._last_message += 1
        self.messages[chat_id, self._last_message] = given
        self._record("sendMessage", chat_id, given, plain, self._last_message)
        return self._message(chat_id, self._last_message, plain)

    async def edit(self, given: Arguments) -> dict[str, Any]:
        """editMessageText: put a new text in place of an earlier message's."""
        chat_id = self._chat_id(given)
        number = whole(given.get("message_id"))
        known = self.messages.get((chat_id, number))
        if known is None:
            raise bad("message to edit not found")
        plain = checked_text(given)
        if all(known.get(name) == given.get(name) for name in ("text", "reply_markup")):
            raise bad(
                "message is not modified: specified new message content and reply markup are "
                "exactly the same as a current content and reply markup of the message"
            )
        self._admit(chat_id)
        self.messages[chat_id, number] = given
        self._record("editMessageText", chat_id, given, plain, number)
        return self._message(chat_id, number, plain)

    async def answer_callback(self, given: Arguments) -> bool:
        """answerCallbackQuery: stop the button's spinner, once per press."""
        query = str(given.get("callback_query_id") or "")
        if query not in self._queries:
            raise bad("query is too old and response timeout expired or query ID is invalid")
        self._queries.discard(query)
        return True

    async def updates(self, given: Arguments) -> list[dict[str, Any]]:
        """getUpdates: return what waits, or wait for it; an older waiting call is ended."""
        offset = whole(given.get("offset"))
        timeout_s = min(max(whole(given.get("timeout")), 0), _LONGEST_POLL_S)
        if offset > 0:
            self._updates = [u for u in self._updates if u["update_id"] >= offset]
        if self._poll is not None and not self._poll.done():
            self._poll.set_exception(BotRefusal(409, _CONFLICT))
        if not self._updates and timeout_s:
            poll: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._poll = poll
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await poll
        return self._updates[: min(max(whole(given.get("limit"), 100), 1), 100)]

    def press(self, chat_id: str, number: int, data: str) -> dict[str, Any]:
        """Press a message's button: a callback query for the bot to fetch."""
        self._last_update += 1
        query_id = f"{self._desk.clock.now().timestamp():.0f}{self._last_update:06d}"
        self._queries.add(query_id)
        known = self.messages[chat_id, number]
        update = {
            "update_id": self._last_update,
            "callback_query": {
                "id": query_id,
                "from": {"id": 100, "is_bot": False, "first_name": "Ana", "username": "ana"},
                "message": self._message(chat_id, number, str(known.get("text") or "")),
                "chat_instance": chat_id,
                "data": data,
            },
        }
        self._updates.append(update)
        self.wake()
        return update

    def say(self, chat_id: str, text: str, user: int) -> dict[str, Any]:
        """Have somebody say something to the bot: a message for it to fetch."""
        self._last_update += 1
        message = self._message(chat_id, self._last_update, text)
        message["from"] = {"id": user, "is_bot": False, "first_name": "Ana", "username": "ana"}
        update = {"update_id": self._last_update, "message": message}
        self._updates.append(update)
        self.wake()
        return update

    def wake(self) -> None:
        """End the waiting getUpdates with what there is."""
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(None)

    def refuse(self, given: Arguments, refusal: BotRefusal) -> None:
        """Remember a refused call; an edit that changes nothing harms nobody."""
        if refusal.description.startswith(_NOT_MODIFIED):
            return
        self._desk.recorder.violate(
            CHANNEL,
            kind="limit" if refusal.limit else "refused",
            rule=refusal.rule,
            destination=str(given.get("chat_id") or ""),
        )

    def _chat_id(self, given: Arguments) -> str:
        chat_id = str(given.get("chat_id") or "")
        if not chat_id:
            raise bad("chat_id is empty")
        allowed = self._desk.config.telegram_chats
        if not (chat_id in map(str, allowed) if allowed else _CHAT.fullmatch(chat_id)):
            raise bad("chat not found")
        return chat_id

    def _admit(self, chat_id: str) -> None:
        limits: list[tuple[Limit, str]] = [(self._chat, chat_id), (self._all, "bot")]
        if chat_id.startswith("-"):
            limits.append((self._group, chat_id))
        if refused := admit(limits):
            rule, wait_s = refused
            raise too_many(max(1, math.ceil(wait_s)), rule)

    def _message(self, chat_id: str, number: int, text: str) -> dict[str, Any]:
        date = int(self._desk.clock.now().timestamp())
        return {
            "message_id": number,
            "from": _BOT,
            "chat": chat_of(chat_id),
            "date": date,
            "text": text,
        }

    def _record(self, action: str, chat_id: str, given: Arguments, plain: str, number: int) -> None:
        self._desk.recorder.receive(
            CHANNEL,
            action=action,
            destination=chat_id,
            severity=severity_in(plain),
            summary=plain.strip().splitlines()[0],
            payload=given,
            answer={"message_id": number},
        )


def telegram_app(desk: Desk, bot: Bot) -> FastAPI:
    """Return the Bot API's routes."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    methods: dict[str, Method] = {
        "getme": bot.me,
        "getchat": bot.chat,
        "sendmessage": bot.send,
        "editmessagetext": bot.edit,
        "answercallbackquery": bot.answer_callback,
        "getupdates": bot.updates,
    }

    @app.api_route("/bot{token}/{method}", methods=["GET", "POST"])
    async def call(token: str, method: str, request: Request) -> Response:
        given: Arguments = {}
        try:
            _authenticate(desk, token)
            given = await _arguments(request)
            work = methods.get(method.lower(), _unknown)(given)
            result = await (_while_there(request, work) if method.lower() in _WAITING else work)
            return JSONResponse({"ok": True, "result": result})
        except BotRefusal as refusal:
            bot.refuse(given, refusal)
            headers = {}
            if refusal.retry_after is not None:
                headers["Retry-After"] = str(refusal.retry_after)
            return JSONResponse(refusal.body(), status_code=refusal.code, headers=headers)

    @app.exception_handler(404)
    async def unknown(_request: Request, _error: Exception) -> Response:
        return JSONResponse(BotRefusal(404, "Not Found").body(), status_code=404)

    return app


async def _while_there(request: Request, work: Awaitable[Any]) -> Any:  # noqa: ANN401 - the work's
    """Do it for as long as the caller is there: one that has gone is nobody's rival."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(request.receive())  # its body is read: what comes is its end
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else []
    finally:
        gone.cancel()
        task.cancel()


def _authenticate(desk: Desk, token: str) -> None:
    if not desk.secrets.matches("telegram", token):
        raise BotRefusal(401, "Unauthorized")


async def _unknown(_given: Arguments) -> None:
    raise BotRefusal(404, "Not Found")


async def _arguments(request: Request) -> Arguments:
    """Return the call's arguments: from the address, a form or JSON."""
    given: Arguments = dict(request.query_params)
    try:
        body = await read_body(request, _BODY_BYTES)
    except BodyTooLargeError:
        raise BotRefusal(413, "Request Entity Too Large", limit=True) from None
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            sent = msgspec.json.decode(body or b"{}")
        except msgspec.DecodeError:
            raise bad("can't parse JSON object") from None
        if not isinstance(sent, dict):
            raise bad("object expected as JSON")
        given.update(sent)
    else:
        given.update(parse_qsl(body.decode(errors="replace")))
    return given
