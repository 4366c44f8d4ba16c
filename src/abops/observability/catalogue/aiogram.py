"""Alerts about services of the kind `aiogram`: whether the bot hears people, and answers them."""

from datetime import timedelta
from typing import Final

from abops.inventory.model import Inventory
from abops.observability.catalogue.aiogram_poll import poll_alerts
from abops.observability.catalogue.alert import Alert, Case, Fired, Runbook, Severity
from abops.observability.catalogue.cases import Timing, around, labelled, steady
from abops.observability.catalogue.commands import ask, errors_of, shell
from abops.observability.catalogue.place import Place, of_kind
from abops.observability.catalogue.telegram import telegram_alerts
from abops.observability.catalogue.wording import amount, duration, percent

GROUP, BOARD = "bot", "bot"
_MINUTE: Final = timedelta(minutes=1)
_SERVED: Final = {"env": "local", "service": "bot"}
_UPDATES: Final = "service:telegram_bot_updates:rate5m"
_CALLS: Final = "service_method_code:telegram_api_requests:rate5m"
_ENOUGH: Final = 0.1
"""Updates or messages a second, thirty in five minutes: of fewer, a share says little."""
_LATER: Final = 30 * _MINUTE


def aiogram_alerts(inventory: Inventory) -> tuple[Alert, ...]:
    """Return the alerts about the bot and its way to Telegram; none where there is no bot."""
    where = of_kind(inventory.services, "aiogram")
    if where is None:
        return ()
    return (
        *poll_alerts(where),
        _handler_errors(where, "warning"),
        _handler_errors(where, "critical"),
        _update_lag(where),
        _webhook_backlog(where),
        _blocked(where),
        *telegram_alerts(where),
    )


_HANDLERS: Final = Runbook(
    meaning=(
        "Over the last five minutes this share of the updates ended in an exception: whoever wrote"
        " to the bot got no answer. Above 5 % it warns, above 25 % it pages."
    ),
    diagnosis=(
        "One handler, or all of them?\n\n"
        + ask(
            "sum by (handler, update_type)"
            ' (service_handler_type_status:telegram_bot_updates:rate5m{status="error"})'
        )
        + "\nWhat went wrong?\n\n"
        + errors_of("bot")
        + "\nAll handlers: a store is away (PostgresDown, RedisDown) or locked"
        " (PostgresBlockedQueries: an update gives up after 5 s). `TelegramNetworkError`: see"
        " TelegramApiDown. `TelegramRetryAfter`: see TelegramRateLimited. One handler since the"
        " last deploy: a bug."
    ),
    mitigation=(
        "Mend the store first. A bug: roll the deploy back; updates that failed are not repeated,"
        " people have to ask again. Neither:\n\n" + shell("abops stack restart bot")
    ),
)


def _handler_errors(where: Place, severity: Severity) -> Alert:
    metric = "service:telegram_bot_errors:ratio_rate5m"
    limit, hold = (0.25, timedelta()) if severity == "critical" else (0.05, 5 * _MINUTE)

    def series(value: float, updates: float = 2) -> dict[str, str]:
        return labelled(metric, steady(value), _SERVED) | labelled(
            _UPDATES, steady(updates), _SERVED
        )

    def fired(value: float) -> Fired:
        return Fired(_SERVED, f"bot fails at {percent(value)} of its updates")

    return Alert(
        name="BotHandlerErrors",
        instance=severity,
        group=GROUP,
        severity=severity,
        expr=f"{metric} > {{threshold}} and {_UPDATES} > {_ENOUGH}",
        threshold=limit,
        unit="ratio",
        reason=(
            "Every fourth person gets no answer."
            if severity == "critical"
            else "Ten times what the objective of 99.5 % allows; thirty updates make it a share."
        ),
        hold=hold,
        summary=("{{ $labels.service }} fails at {{ $value | humanizePercentage }} of its updates"),
        impact="People who write to the bot get no answer, and their request is lost.",
        labels=where.labels("handlers", "errors"),
        board=BOARD,
        runbook=_HANDLERS,
        cases=(
            *around(limit, series, fired, timing=Timing(hold)),
            Case("just enough updates", series(0.5, 1.1 * _ENOUGH), _LATER, (fired(0.5),)),
            Case("hardly any update", series(0.5, 0.9 * _ENOUGH), _LATER),
            Case("updates are unknown", labelled(metric, steady(0.5), _SERVED), _LATER),
        ),
    )


def _update_lag(where: Place) -> Alert:
    metric, limit, hold = "service:telegram_bot_update_lag_seconds:p95", 30.0, 5 * _MINUTE
    return Alert(
        name="BotUpdateLag",
        group=GROUP,
        severity="warning",
        expr=f"{metric} > {{threshold}}",
        threshold=limit,
        unit="s",
        reason="Nobody waits half a minute for a bot: they press the button again.",
        hold=hold,
        summary=(
            "{{ $labels.service }}: messages wait {{ $value | humanizeDuration }} before they are"
            " handled"
        ),
        impact="People get their answers late, and ask again, which makes the line longer.",
        labels=where.labels("handlers", "latency"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "One message in twenty is older than 30 s when its handler begins. Telegram keeps"
                " updates in order: one slow update holds up those behind it."
            ),
            diagnosis=(
                "Are handlers slow, or do more updates come than ever?\n\n"
                + ask(
                    "service:telegram_bot_update_duration_seconds:p95"
                    " or service:telegram_bot_updates:rate5m"
                    ' or service_system:db_client_operation_duration_seconds:p95{service="bot"}'
                )
                + "\nHandlers above 1 s: the store or Telegram is slow; the traces of `update ...`"
                " say which. After an outage of the bot this is its backlog, and shrinks by"
                " itself."
            ),
            mitigation=(
                "After an outage: wait, and watch the lag fall. A slow store:"
                " PostgresBlockedQueries, RedisSlowlog. A flood from one chat: block it in"
                " the bot's administration. Do not"
                " start a second bot that polls: both would get 409 (BotConflict)."
            ),
        ),
        cases=around(
            limit,
            lambda v: labelled(metric, steady(v), _SERVED),
            lambda v: Fired(_SERVED, f"bot: messages wait {duration(v)} before they are handled"),
            timing=Timing(hold),
        ),
    )


def _webhook_backlog(where: Place) -> Alert:
    metric, limit, hold = "telegram_bot_webhook_pending_updates", 100.0, 5 * _MINUTE
    return Alert(
        name="BotWebhookBacklog",
        group=GROUP,
        severity="warning",
        expr=f"max by (env, service) ({metric}) > {{threshold}}",
        threshold=limit,
        unit="updates",
        reason="A bot that keeps up has none; at the busiest hour a hundred is a minute's worth.",
        hold=hold,
        summary="{{ $labels.service }}: {{ $value | humanize }} updates wait at Telegram",
        impact="People wait for their answers. Telegram drops updates after 24 hours.",
        labels=where.labels("webhook", "saturation"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "Telegram cannot deliver to the webhook, or not as fast as people write:"
                " `getWebhookInfo` has counted more than 100 waiting updates for five minutes."
            ),
            diagnosis=(
                "Telegram says itself why the last delivery failed (the token is in the secret,"
                " not in your shell's history):\n\n"
                + shell(
                    "curl -s -K <(printf 'url = https://api.telegram.org/bot%s/getWebhookInfo\\n'"
                    ' "$(cat TOKEN-FILE)") | jq .result'
                )
                + "\n`last_error_message`: a certificate (EdgeTlsExpires), a wrong address"
                " (EdgeWebhookUrlMismatch), 5xx or timeouts (the bot itself: BotHandlerErrors)."
                " No error: the bot is slow, see BotUpdateLag."
            ),
            mitigation=(
                "Mend what `last_error_message` names; Telegram tries again by itself, at longer"
                " and longer intervals. Setting the same webhook again makes it try at once. Never"
                " set `drop_pending_updates`: it throws away what people wrote."
            ),
        ),
        cases=around(
            limit,
            lambda v: labelled(metric, steady(v), {**_SERVED, "job": "analyticbot-bot"}),
            lambda v: Fired(_SERVED, f"bot: {amount(v)} updates wait at Telegram"),
            timing=Timing(hold),
        ),
    )


def _blocked(where: Place) -> Alert:
    metric, limit, hold = "service:telegram_bot_blocked:rate5m", 0.2, 10 * _MINUTE

    def series(value: float, sent: float = 2, method: str = "sendMessage") -> dict[str, str]:
        calls = {**_SERVED, "method": method, "code": "200"}
        return labelled(metric, steady(value * sent), _SERVED) | labelled(
            _CALLS, steady(sent), calls
        )

    def fired(value: float) -> Fired:
        return Fired(_SERVED, f"bot: {percent(value)} of its messages meet people who blocked it")

    return Alert(
        name="BotBlockedSpike",
        group=GROUP,
        severity="info",
        expr=(
            f'{metric} / (sum by (env, service) ({_CALLS}{{method=~"send.*"}}) > {_ENOUGH})'
            " > {threshold}"
        ),
        threshold=limit,
        unit="of messages",
        reason="A few of a hundred leave in usual times; one in five is an answer to something.",
        hold=hold,
        summary=(
            "{{ $labels.service }}: {{ $value | humanizePercentage }} of its messages meet people"
            " who blocked it"
        ),
        impact="People turn away from the bot; posts reach fewer of them.",
        labels=where.labels("messages", "traffic"),
        board="business-metrics",
        runbook=Runbook(
            meaning=(
                "For ten minutes one message in five was refused because its receiver has blocked"
                " the bot: after too many messages, an unwelcome one, or a campaign to an old list."
            ),
            diagnosis=(
                "Since when, and what was sent then?\n\n"
                + ask("sum by (service) (increase(telegram_bot_blocked_total[1h]))")
                + shell(
                    'psql -h HOST -p PORT -U READER analytic_bot -c "SELECT status, count(*)',
                    "  FROM deliveries WHERE updated_at > now() - interval '1 hour' GROUP BY 1\"",
                )
            ),
            mitigation=(
                "Stop the campaign if there is one: set its posts to `canceled`. Nothing is broken"
                " in the platform; tell the owner of the product."
            ),
        ),
        cases=(
            *around(limit, series, fired, timing=Timing(hold)),
            Case("just enough messages", series(0.5, 1.1 * _ENOUGH), _LATER, (fired(0.5),)),
            Case("hardly any message", series(0.5, 0.9 * _ENOUGH), _LATER),
            Case("calls that are no messages", series(0.5, 2, "getChat"), _LATER),
        ),
    )
