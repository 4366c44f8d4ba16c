"""Telegram's Bot API. The token is part of the address, so no address appears in any error."""

from typing import Any

import httpx2

from abops.clients.notify.receipt import TIMEOUT_S, NotAcceptedError, trusts_environment

_RATE_LIMITED, _CLIENT_ERROR, _SERVER_ERROR = 429, 400, 500
_UNCHANGED = "message is not modified"
_ANSWER_CHARS = 200

_HEARD = ["callback_query", "message"]
"""Buttons that are pressed, and what people say to the bot."""
Keyboard = dict[str, Any]


class Telegram:
    """Sends and edits messages of one bot."""

    def __init__(self, token: str, *, url: str) -> None:
        self._base = f"{url.rstrip('/')}/bot{token}"
        self._client = httpx2.AsyncClient(timeout=TIMEOUT_S, trust_env=trusts_environment(url))

    async def send(
        self, chat: str, html: str, *, reply_to: str = "", keyboard: Keyboard | None = None
    ) -> str:
        """Send a message, as a reply if one is named; return Telegram's number for it."""
        body: dict[str, Any] = {
            "chat_id": _number_or_name(chat),
            "text": html,
            "parse_mode": "HTML",
            "link_preview_options": {"is_disabled": True},
        }
        if keyboard is not None:
            body["reply_markup"] = keyboard
        if reply_to:
            body["reply_parameters"] = {
                "message_id": int(reply_to),
                "allow_sending_without_reply": True,
            }
        result = await self._call("sendMessage", body)
        return str(result["message_id"])

    async def edit(
        self, chat: str, reference: str, html: str, *, keyboard: Keyboard | None = None
    ) -> None:
        """Replace the text of a message; one that says so already is left alone."""
        body: dict[str, Any] = {
            "chat_id": _number_or_name(chat),
            "message_id": int(reference),
            "text": html,
            "parse_mode": "HTML",
            "link_preview_options": {"is_disabled": True},
        }
        if keyboard is not None:
            body["reply_markup"] = keyboard
        try:
            await self._call("editMessageText", body)
        except NotAcceptedError as error:
            if _UNCHANGED not in str(error):
                raise

    async def updates(self, *, after: int, timeout_s: int) -> list[Any]:
        """Wait for what people press and say; updates up to number `after` are done with."""
        body = {"offset": after + 1, "timeout": timeout_s, "allowed_updates": _HEARD}
        found = await self._ask("getUpdates", body, timeout_s=TIMEOUT_S + timeout_s)
        return found if isinstance(found, list) else []

    async def answer(self, query: str, text: str, *, alert: bool = False) -> None:
        """Tell who pressed a button what came of it."""
        body = {"callback_query_id": query, "text": text[:_ANSWER_CHARS], "show_alert": alert}
        await self._ask("answerCallbackQuery", body)

    async def test(self, chat: str) -> str:
        """Ask who the bot is and whether it knows the chat; return both names."""
        bot = await self._call("getMe", {})
        found = await self._call("getChat", {"chat_id": _number_or_name(chat)})
        name = found.get("title") or found.get("username") or chat
        return f"@{bot.get('username', '?')} in {name}"

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _call(self, method: str, body: dict[str, Any]) -> dict[str, Any]:
        result = await self._ask(method, body)
        if not isinstance(result, dict):
            raise NotAcceptedError("Telegram's answer cannot be read", outcome_unknown=True)
        return result

    async def _ask(self, method: str, body: dict[str, Any], *, timeout_s: float = TIMEOUT_S) -> Any:  # noqa: ANN401 - each method answers in its own form
        try:
            response = await self._client.post(
                f"{self._base}/{method}", json=body, timeout=timeout_s
            )
        except httpx2.HTTPError as error:
            # The cause's text would carry the address, and with it the token.
            raise NotAcceptedError(
                f"Telegram did not answer: {type(error).__name__}", outcome_unknown=True
            ) from None
        try:
            answer = response.json()
            if answer["ok"]:
                return answer["result"]
        except (ValueError, KeyError, TypeError) as error:
            raise NotAcceptedError(
                f"Telegram's answer cannot be read: {response.status_code}", outcome_unknown=True
            ) from error
        raise _refused(response.status_code, answer)


def _number_or_name(chat: str) -> int | str:
    return int(chat) if chat.lstrip("-").isdigit() else chat


def _refused(status: int, answer: dict[str, Any]) -> NotAcceptedError:
    code = int(answer.get("error_code", status))
    parameters = answer.get("parameters") or {}
    wait = parameters.get("retry_after")
    return NotAcceptedError(
        f"Telegram refused: {code} {str(answer.get('description', ''))[:200]}",
        final=_CLIENT_ERROR <= code < _SERVER_ERROR and code != _RATE_LIMITED,
        retry_after_s=None if wait is None else float(wait),
        outcome_unknown=code >= _SERVER_ERROR,
    )
