"""The Bot API's HTTP side: its paths, its ways to pass parameters, its answers and errors."""

import hmac
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from apps.faults import switches
from apps.telegram_stub.delivery import delivering
from apps.telegram_stub.mtproto import Gateway
from apps.telegram_stub.state import (
    ConflictError,
    Json,
    StubState,
    TooManyError,
    Webhook,
    is_blocked,
)

LONGEST_TEXT = 4096
LONGEST_POLL_S = 50
STATE: web.AppKey[StubState] = web.AppKey("state", StubState)
TOKEN: web.AppKey[str] = web.AppKey("token", str)


class ApiError(Exception):
    """A refusal, as the Bot API words it."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters


def make_app(token: str, state: StubState, sessions: Sequence[str] = ()) -> web.Application:
    """Return the stub for a bot with this token, and for accounts with these sessions."""
    app = web.Application()
    app[STATE], app[TOKEN] = state, token
    app.cleanup_ctx.append(delivering(state))
    app.router.add_route("*", "/bot{token}/{method}", answer)
    app.router.add_post("/mtproto/{method}", Gateway(sessions).answer)
    app.router.add_get("/health", health)
    app.router.add_get("/_received", received)
    app.router.add_post("/_updates", inject)
    return app


async def health(_request: web.Request) -> web.Response:
    """Say that the stub lives."""
    return web.json_response({"status": "ok"})


async def received(request: web.Request) -> web.Response:
    """Show what was sent through the bot (the newest 2,000), and how often what was called."""
    state = request.app[STATE]
    return web.json_response(
        {
            "messages": list(state.messages),
            "calls": dict(state.calls),
            "pending_updates": state.pending,
            "polling": state.polling,
            "webhook": state.webhook.url if state.webhook else "",
        }
    )


async def inject(request: web.Request) -> web.Response:
    """Let one update arrive; for tests."""
    update = await request.json()
    return web.json_response({"update_id": request.app[STATE].add_update(update)})


async def answer(request: web.Request) -> web.StreamResponse:
    """Answer one call of the Bot API."""
    if switches().active("telegram_down") is not None:
        if request.transport is not None:
            request.transport.abort()
        raise web.HTTPServiceUnavailable
    state, method = request.app[STATE], request.match_info["method"].lower()
    try:
        call = _method(request, method)
        result = await call(state, await _parameters(request))
    except ApiError as error:
        state.calls[f"{method} {error.code}"] += 1
        return _refusal(error)
    state.calls[f"{method} 200"] += 1
    return web.json_response({"ok": True, "result": result})


def _method(request: web.Request, name: str) -> "Method":
    # Compared so that the time it takes says nothing about the token.
    token, ours = request.match_info["token"], request.app[TOKEN]
    if not hmac.compare_digest(token.encode(), ours.encode()):
        raise ApiError(401, "Unauthorized")
    if name not in METHODS:
        raise ApiError(404, "Not Found")
    return METHODS[name]


def _refusal(error: ApiError) -> web.Response:
    body: Json = {"ok": False, "error_code": error.code, "description": error.description}
    headers = {}
    if error.parameters:
        body["parameters"] = error.parameters
        headers["Retry-After"] = str(error.parameters.get("retry_after", 1))
    return web.json_response(body, status=error.code, headers=headers)


async def _parameters(request: web.Request) -> Mapping[str, Any]:
    """Return the parameters, which may stand in the query, a form or a JSON body."""
    parameters: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        try:
            body = await request.json()
        except ValueError as error:
            raise ApiError(400, "Bad Request: can't parse JSON object") from error
        if not isinstance(body, dict):
            raise ApiError(400, "Bad Request: object expected as JSON")
        return parameters | body
    return parameters | dict(await request.post())


def _number(parameters: Mapping[str, Any], name: str, default: int | None = None) -> int:
    raw = parameters.get(name, default)
    try:
        return int(raw)
    except (TypeError, ValueError) as error:
        raise ApiError(400, f"Bad Request: {name} must be a number") from error


async def get_me(_state: StubState, _parameters: Mapping[str, Any]) -> Json:
    """Say who the bot is."""
    return {
        "id": 100000,
        "is_bot": True,
        "first_name": "AnalyticBot",
        "username": "analytic_bot",
        "can_join_groups": True,
        "can_read_all_group_messages": False,
        "supports_inline_queries": False,
    }


async def get_updates(state: StubState, parameters: Mapping[str, Any]) -> list[Json]:
    """Hand out what arrived; wait for it when told to."""
    limit = max(1, min(100, _number(parameters, "limit", 100)))
    timeout_s = max(0, min(LONGEST_POLL_S, _number(parameters, "timeout", 0)))
    try:
        return await state.poll(_number(parameters, "offset", 0), limit, timeout_s)
    except ConflictError as error:
        if state.webhook is not None:
            raise ApiError(
                409,
                "Conflict: can't use getUpdates method while webhook is active; "
                "use deleteWebhook to delete the webhook first",
            ) from error
        raise ApiError(
            409,
            "Conflict: terminated by other getUpdates request; "
            "make sure that only one bot instance is running",
        ) from error


async def send_message(state: StubState, parameters: Mapping[str, Any]) -> Json:
    """Take a message."""
    chat_id, text = _number(parameters, "chat_id"), str(parameters.get("text", ""))
    if not text.strip():
        raise ApiError(400, "Bad Request: message text is empty")
    if len(text) > LONGEST_TEXT:
        raise ApiError(400, "Bad Request: message is too long")
    if is_blocked(chat_id):
        raise ApiError(403, "Forbidden: bot was blocked by the user")
    patience = switches().hits("telegram_429")
    if patience is not None:
        raise _too_many(int(patience.number("retry_after", 3)))
    try:
        return state.take_message(chat_id, text)
    except TooManyError as error:
        raise _too_many(1) from error


def _too_many(seconds: int) -> ApiError:
    return ApiError(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)


async def answer_callback_query(_state: StubState, parameters: Mapping[str, Any]) -> bool:
    """Take the answer to a pressed button."""
    if not parameters.get("callback_query_id"):
        raise ApiError(400, "Bad Request: query is too old or query ID is invalid")
    return True


async def set_webhook(state: StubState, parameters: Mapping[str, Any]) -> bool:
    """Deliver to an address from now on; an empty one ends it."""
    url, secret = str(parameters.get("url", "")), str(parameters.get("secret_token", ""))
    connections = max(1, min(100, _number(parameters, "max_connections", 40)))
    if secret and not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", secret):
        raise ApiError(400, "Bad Request: secret token contains unallowed characters")
    if url and not _is_deliverable(url):
        raise ApiError(400, "Bad Request: bad webhook: an HTTPS URL must be provided for webhook")
    if _is_true(parameters, "drop_pending_updates"):
        state.forget_updates()
    state.set_webhook(Webhook(url, secret, connections) if url else None)
    return True


def _is_deliverable(url: str) -> bool:
    """Tell whether updates may go there: by https, or in the clear if they stay on this machine."""
    address = urlsplit(url)
    if address.scheme == "http":
        return address.hostname in {"127.0.0.1", "localhost", "::1"}
    return address.scheme == "https" and bool(address.hostname)


def _is_true(parameters: Mapping[str, Any], name: str) -> bool:
    return str(parameters.get(name, "")).lower() in {"true", "1"}


async def delete_webhook(state: StubState, parameters: Mapping[str, Any]) -> bool:
    """Deliver nowhere; what waits stays, unless told otherwise."""
    if _is_true(parameters, "drop_pending_updates"):
        state.forget_updates()
    if state.webhook is not None:
        state.set_webhook(None)
    return True


async def get_webhook_info(state: StubState, _parameters: Mapping[str, Any]) -> Json:
    """Say where updates go, how many wait, and what went wrong last."""
    webhook = state.webhook
    info: Json = {
        "url": webhook.url if webhook else "",
        "has_custom_certificate": False,
        "pending_update_count": state.pending,
    }
    if webhook is not None:
        info["max_connections"] = webhook.connections
        if webhook.last_error_date:
            info["last_error_date"] = webhook.last_error_date
            info["last_error_message"] = webhook.last_error_message
    return info


Method = Callable[[StubState, Mapping[str, Any]], Awaitable[object]]
METHODS: Mapping[str, Method] = {
    "getme": get_me,
    "getupdates": get_updates,
    "sendmessage": send_message,
    "answercallbackquery": answer_callback_query,
    "setwebhook": set_webhook,
    "deletewebhook": delete_webhook,
    "getwebhookinfo": get_webhook_info,
}
