"""The bot: its updates, its calls to the Telegram API, and the poll that keeps it alive.

aiogram is met by its middleware protocols only, so nothing of it is imported. A bot that is
told 409 by Telegram, or whose poll hangs, still runs; `poll_is_fresh` tells that from health.
"""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from datetime import datetime
from time import monotonic, perf_counter, time_ns
from typing import Any

from opentelemetry.trace import SpanKind
from prometheus_client import REGISTRY, CollectorRegistry

from abops_instrument import tracing
from abops_instrument.series import WAIT_BUCKETS, families
from abops_instrument.tracing import client_span
from abops_instrument.work import Work

POLL_MAX_AGE_S = 60.0
_SLOW_AFTER_S = 1.0
_UNHANDLED = "unhandled"

# aiogram has a class per answer of the Telegram API.
_CODES = {
    "TelegramBadRequest": "400",
    "TelegramUnauthorizedError": "401",
    "TelegramForbiddenError": "403",
    "TelegramNotFound": "404",
    "TelegramConflictError": "409",
    "TelegramEntityTooLarge": "413",
    "TelegramRetryAfter": "429",
    "TelegramMigrateToChat": "400",
    "TelegramServerError": "500",
    "RestartingTelegram": "500",
    "TelegramNetworkError": "network",
}
_BLOCKED = "403"

Handle = Callable[[Any, dict[str, Any]], Awaitable[Any]]

_last_poll: float | None = None


def poll_is_fresh(max_age_s: float = POLL_MAX_AGE_S) -> bool:
    """Say if Telegram has answered a poll lately: the bot's health."""
    return _last_poll is not None and monotonic() - _last_poll < max_age_s


def instrument_bot(bot: Any, registry: CollectorRegistry = REGISTRY) -> None:  # noqa: ANN401
    """Measure every call this aiogram Bot makes to the Telegram API."""
    bot.session.middleware(ApiCalls(registry))


def instrument_dispatcher(dispatcher: Any, registry: CollectorRegistry = REGISTRY) -> None:  # noqa: ANN401
    """Measure every update this aiogram Dispatcher handles, with the name of its handler."""
    dispatcher.update.outer_middleware(Updates(registry))
    for name, observer in dispatcher.observers.items():
        if name not in {"update", "error", "errors"}:
            observer.middleware(_note_handler)


class ApiCalls:
    """An aiogram session middleware."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._families = made = families(registry)
        self._webhook: str | None = None
        self._requests = made.counter(
            "telegram_api_requests_total",
            "Calls to the Telegram API by answer; `network` when there was none.",
            ("method", "code"),
        )
        self._durations = made.histogram(
            "telegram_api_request_duration_seconds", "Time a call took.", ("method",)
        )
        self._retry_after = made.counter(
            "telegram_api_retry_after_seconds_total", "Seconds Telegram told us to wait."
        ).labels()
        self._blocked = made.counter(
            "telegram_bot_blocked_total", "Messages to people who have blocked the bot."
        ).labels()
        self._last_poll = made.gauge(
            "telegram_bot_poll_last_success_timestamp_seconds",
            "When Telegram last answered a poll.",
            across_processes="max",
        ).labels()
        self._pending = made.gauge(
            "telegram_bot_webhook_pending_updates", "Updates that wait at Telegram for the webhook."
        ).labels()

    async def __call__(self, make_request: Handle, bot: Any, method: Any) -> Any:  # noqa: ANN401
        """Make one call."""
        name = str(method.__api_method__)
        if name == "getUpdates":  # waits for half a minute by design: no duration, no span
            return await self._poll(make_request, bot, method)
        started = perf_counter()
        code = "200"
        try:
            with client_span(name, peer__service="telegram", rpc__system="telegram"):
                answer = await make_request(bot, method)
        except Exception as error:
            code = self._note_failure(error)
            raise
        finally:
            self._durations.labels(name).observe(perf_counter() - started)
            self._requests.labels(name, code).inc()
        if name == "setWebhook":
            self._webhook = str(method.url)
        elif name == "getWebhookInfo":
            self._note_webhook(answer)
        return answer

    def _note_webhook(self, info: Any) -> None:  # noqa: ANN401 - aiogram's answer
        self._pending.set(getattr(info, "pending_update_count", 0))
        if self._webhook is not None:
            # Made when there is something to compare: from the start it would say 0.
            ours = self._families.gauge(
                "telegram_bot_webhook_is_ours",
                "1 while Telegram delivers to the webhook that this process set.",
                across_processes="mostrecent",
            )
            ours.labels().set(getattr(info, "url", "") == self._webhook)

    async def _poll(self, make_request: Handle, bot: Any, method: Any) -> Any:  # noqa: ANN401
        global _last_poll  # noqa: PLW0603 - one bot per process polls
        code = "200"
        try:
            answer = await make_request(bot, method)
            _last_poll = monotonic()
            self._last_poll.set(time_ns() / 1e9)
        except Exception as error:
            code = self._note_failure(error)
            raise
        finally:
            self._requests.labels("getUpdates", code).inc()
        return answer

    def _note_failure(self, error: Exception) -> str:
        code = _CODES.get(type(error).__name__, "error")
        if _is_block(error):
            self._blocked.inc()
        wait = getattr(error, "retry_after", None)
        if isinstance(wait, int | float):
            self._retry_after.inc(max(0, wait))
        return code


def _is_block(error: BaseException | None) -> bool:
    """Tell whether somebody has blocked the bot: their will, and no failure of ours."""
    return _CODES.get(type(error).__name__) == _BLOCKED and "blocked" in str(error).lower()


class _Update:
    """What the outer middleware learns from the inner one."""

    handler = _UNHANDLED


_current_update: ContextVar[_Update | None] = ContextVar("abops_update", default=None)


async def _note_handler(handle: Handle, event: Any, data: dict[str, Any]) -> Any:  # noqa: ANN401
    update = _current_update.get()
    callback = getattr(data.get("handler"), "callback", None)
    if update is not None and callback is not None:
        update.handler = getattr(callback, "__name__", type(callback).__name__)
    return await handle(event, data)


class Updates:
    """An aiogram outer middleware of the update observer."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        made = families(registry)
        self._durations = made.histogram(
            "telegram_bot_update_duration_seconds",
            "Time an update took.",
            ("handler", "update_type", "status"),
            keep=("status",),
        )
        self._lag = made.histogram(
            "telegram_bot_update_lag_seconds",
            "Age of a message when its handling began.",
            buckets=WAIT_BUCKETS,
        ).labels()

    async def __call__(self, handle: Handle, event: Any, data: dict[str, Any]) -> Any:  # noqa: ANN401
        """Handle one update."""
        kind = str(getattr(event, "event_type", "unknown"))
        self._observe_lag(getattr(event, kind, None))
        update = _Update()
        token = _current_update.set(update)
        work = Work(f"update {kind}", SpanKind.CONSUMER, None, tracing.current())
        failure: BaseException | None = None
        try:
            return await handle(event, data)
        except BaseException as error:
            failure = error
            raise
        finally:
            duration = perf_counter() - work.started
            work.leave()
            _current_update.reset(token)
            blocked = _is_block(failure)
            failed = failure is not None and not blocked
            status = "error" if failed else "blocked" if blocked else "ok"
            is_slow = duration > _SLOW_AFTER_S
            becomes_a_span = work.is_sampled or failed or is_slow
            self._durations.labels(update.handler, kind, status).observe(
                duration, work.exemplar() if becomes_a_span else None
            )
            work.end(
                f"update {update.handler}",
                {"telegram.update_type": kind, "telegram.handler": update.handler},
                error=failure if failed else None,
                failed=failed,
                wanted=is_slow,
            )

    def _observe_lag(self, message: Any) -> None:  # noqa: ANN401 - any of Telegram's objects
        sent = getattr(message, "date", None)
        if isinstance(sent, datetime):
            self._lag.observe(max(0.0, time_ns() / 1e9 - sent.timestamp()))
