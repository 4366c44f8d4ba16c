from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from abops_instrument import telegram
from abops_instrument.telegram import ApiCalls, Updates, poll_is_fresh


class TelegramForbiddenError(Exception):
    """As aiogram's."""


class TelegramRetryAfter(Exception):  # noqa: N818 - as aiogram's
    retry_after = 7


def a_call(name: str) -> Any:  # noqa: ANN401 - aiogram's method
    return SimpleNamespace(__api_method__=name)


def answering(answer: object) -> Any:  # noqa: ANN401 - aiogram's protocol
    async def make_request(_bot: object, _method: object) -> object:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return make_request


async def test_calls_count_by_method_and_code() -> None:
    registry = CollectorRegistry()
    calls = ApiCalls(registry)
    await calls(answering("sent"), None, a_call("sendMessage"))
    for error in (
        TelegramForbiddenError("bot was blocked by the user"),
        TelegramRetryAfter(),
        OSError(),
    ):
        with pytest.raises(type(error)):
            await calls(answering(error), None, a_call("sendMessage"))
    counted = {
        code: registry.get_sample_value(
            "telegram_api_requests_total", {"method": "sendMessage", "code": code}
        )
        for code in ("200", "403", "429", "error")
    }
    assert {"200": 1, "403": 1, "429": 1, "error": 1} == counted
    assert 1 == registry.get_sample_value("telegram_bot_blocked_total")
    assert 7 == registry.get_sample_value("telegram_api_retry_after_seconds_total")
    labels = {"method": "sendMessage"}
    assert 4 == registry.get_sample_value("telegram_api_request_duration_seconds_count", labels)


async def test_a_poll_makes_the_bot_healthy_and_has_no_duration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(telegram, "_last_poll", None)
    registry = CollectorRegistry()
    calls = ApiCalls(registry)
    with pytest.raises(OSError, match="down"):
        await calls(answering(OSError("down")), None, a_call("getUpdates"))
    assert not poll_is_fresh()
    await calls(answering([]), None, a_call("getUpdates"))
    assert poll_is_fresh()
    assert not poll_is_fresh(max_age_s=0.0)
    last = registry.get_sample_value("telegram_bot_poll_last_success_timestamp_seconds")
    assert (last or 0) > 1_700_000_000
    assert "_count" not in str([m.samples for m in registry.collect()])


async def test_the_webhooks_backlog_is_told() -> None:
    registry = CollectorRegistry()
    info = SimpleNamespace(pending_update_count=12)
    await ApiCalls(registry)(answering(info), None, a_call("getWebhookInfo"))
    assert 12 == registry.get_sample_value("telegram_bot_webhook_pending_updates")


async def test_a_webhook_that_somebody_else_set_is_told() -> None:
    registry = CollectorRegistry()
    calls = ApiCalls(registry)

    async def ask(url: str) -> float | None:
        info = SimpleNamespace(pending_update_count=0, url=url)
        await calls(answering(info), None, a_call("getWebhookInfo"))
        return registry.get_sample_value("telegram_bot_webhook_is_ours")

    assert await ask("https://other.example/hook") is None  # nothing to compare with
    ours = SimpleNamespace(__api_method__="setWebhook", url="https://bot.example/hook")
    await calls(answering(True), None, ours)  # noqa: FBT003 - Telegram's answer

    assert 1 == await ask("https://bot.example/hook")
    assert 0 == await ask("https://other.example/hook")
    assert 0 == await ask("")


def an_update(age_s: float = 3) -> Any:  # noqa: ANN401 - aiogram's
    sent = datetime.now(UTC) - timedelta(seconds=age_s)  # noqa: TID251 - Telegram's clock
    return SimpleNamespace(event_type="message", message=SimpleNamespace(date=sent))


async def test_an_update_counts_under_its_handler() -> None:
    registry = CollectorRegistry()

    async def handled(event: object, data: dict[str, Any]) -> str:
        async def inner(_event: object, _data: object) -> str:
            return "done"

        handler = SimpleNamespace(callback=cmd_start)
        return str(await telegram._note_handler(inner, event, data | {"handler": handler}))  # noqa: SLF001

    def cmd_start() -> None: ...

    assert "done" == await Updates(registry)(handled, an_update(), {})
    labels = {"handler": "cmd_start", "update_type": "message", "status": "ok"}
    assert 1 == registry.get_sample_value("telegram_bot_update_duration_seconds_count", labels)
    lag = registry.get_sample_value("telegram_bot_update_lag_seconds_sum")
    assert 2.9 < (lag or 0) < 10


async def test_an_update_nobody_handles_and_one_that_fails_are_told_apart() -> None:
    registry = CollectorRegistry()
    updates = Updates(registry)

    async def nobody(*_: object) -> None: ...

    async def fails(*_: object) -> None:
        raise ValueError

    await updates(nobody, an_update(), {})
    with pytest.raises(ValueError):  # noqa: PT011 - any
        await updates(fails, an_update(), {})
    counted = {
        status: registry.get_sample_value(
            "telegram_bot_update_duration_seconds_count",
            {"handler": "unhandled", "update_type": "message", "status": status},
        )
        for status in ("ok", "error")
    }
    assert {"ok": 1, "error": 1} == counted


async def test_who_blocked_the_bot_is_no_failure_and_who_is_forbidden_otherwise_is_one() -> None:
    class TelegramForbiddenError(Exception): ...

    registry = CollectorRegistry()
    updates = Updates(registry)

    def raising(words: str) -> Any:  # noqa: ANN401 - a handler
        async def handle(*_: object) -> None:
            raise TelegramForbiddenError(words)

        return handle

    for words in ("Forbidden: bot was blocked by the user", "Forbidden: not enough rights"):
        with pytest.raises(TelegramForbiddenError):
            await updates(raising(words), an_update(), {})
    counted = {
        status: registry.get_sample_value(
            "telegram_bot_update_duration_seconds_count",
            {"handler": "unhandled", "update_type": "message", "status": status},
        )
        for status in ("blocked", "error")
    }
    assert {"blocked": 1, "error": 1} == counted
