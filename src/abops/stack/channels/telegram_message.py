"""What a call to Telegram's Bot API carries, and the words in which it is refused."""

from typing import Any, Final

import msgspec

from abops.stack.channels.telegram_html import MarkupError, plain_text

_TEXT_CHARS: Final = 4_096
_CALLBACK_BYTES: Final = 64

Arguments = dict[str, Any]


class BotRefusal(Exception):  # noqa: N818 - an answer of the protocol, not a failure of ours
    """The Bot API's `ok: false`."""

    def __init__(
        self,
        code: int,
        description: str,
        *,
        retry_after: int | None = None,
        rule: str | None = None,
        limit: bool = False,
    ) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.retry_after = retry_after
        self.rule = rule or description
        self.limit = limit or retry_after is not None

    def body(self) -> dict[str, Any]:
        """Return the answer's JSON."""
        answer: dict[str, Any] = {
            "ok": False,
            "error_code": self.code,
            "description": self.description,
        }
        if self.retry_after is not None:
            answer["parameters"] = {"retry_after": self.retry_after}
        return answer


def too_many(retry_after: int, rule: str | None = None) -> BotRefusal:
    """Return the refusal of a request that came too early."""
    description = f"Too Many Requests: retry after {retry_after}"
    return BotRefusal(429, description, retry_after=retry_after, rule=rule)


def bad(description: str, *, limit: bool = False) -> BotRefusal:
    """Return the refusal of a request that can never be served."""
    return BotRefusal(400, f"Bad Request: {description}", limit=limit)


def checked_text(given: Arguments) -> str:
    """Return the text as people see it; refuse one that is empty, too long or badly marked up."""
    text = str(given.get("text") or "")
    if str(given.get("parse_mode") or "").lower() == "html":
        try:
            text = plain_text(text)
        except MarkupError as error:
            raise bad(f"can't parse entities: {error}") from None
    if not text.strip():
        raise bad("message text is empty")
    if len(text) > _TEXT_CHARS:
        raise bad("message is too long", limit=True)
    for button in buttons(given):
        if len(str(button.get("callback_data") or "").encode()) > _CALLBACK_BYTES:
            raise bad("BUTTON_DATA_INVALID", limit=True)
    return text


def buttons(given: Arguments) -> list[dict[str, Any]]:
    """Return the inline keyboard's buttons, sent as JSON or as JSON text in a form."""
    markup = given.get("reply_markup") or {}
    if isinstance(markup, str):
        try:
            markup = msgspec.json.decode(markup)
        except msgspec.DecodeError:
            raise bad("can't parse reply keyboard markup JSON object") from None
    rows = markup.get("inline_keyboard") if isinstance(markup, dict) else None
    if rows is not None and not isinstance(rows, list):
        raise bad('field "inline_keyboard" of the InlineKeyboardMarkup must be an Array')
    return [
        button
        for row in rows or ()
        for button in (row if isinstance(row, list) else ())
        if isinstance(button, dict)
    ]


def chat_of(chat_id: str) -> dict[str, Any]:
    """Return the Chat object of a checked id."""
    if chat_id.startswith("@"):
        return {"id": -1_000_000_000_001, "type": "channel", "username": chat_id[1:]}
    kind = "supergroup" if chat_id.startswith("-100") else "group"
    if not chat_id.startswith("-"):
        return {"id": int(chat_id), "type": "private", "first_name": "Ana"}
    return {"id": int(chat_id), "type": kind, "title": "Operations"}


def whole(value: object, default: int = 0) -> int:
    """Return a number that may have come as text, or `default`."""
    try:
        return int(str(value))
    except ValueError:
        return default
