"""Alerts about the bot's poll: a bot that lives but hears nothing looks healthy to everybody."""

from datetime import timedelta
from typing import Final

from abops.observability.catalogue.alert import Alert, Case, Fired, Runbook
from abops.observability.catalogue.cases import around, labelled, steady
from abops.observability.catalogue.commands import ask, errors_of, shell
from abops.observability.catalogue.place import Place
from abops.observability.catalogue.wording import amount

GROUP, BOARD = "bot", "bot"
_SECOND: Final = timedelta(seconds=1)
_SERVED: Final = {"env": "local", "service": "bot"}
_INSTANCE: Final = {**_SERVED, "job": "analyticbot-bot", "instance": "a"}
_CALLS: Final = "service_method_code:telegram_api_requests:rate5m"
_WINDOW_S: Final = 300
"""Length of the recordings' window."""
_LATER: Final = timedelta(minutes=10)


def poll_alerts(where: Place) -> tuple[Alert, ...]:
    """Return the alerts about the poll."""
    return (_stalled(where), _conflict(where), _unauthorized(where))


def _stalled(where: Place) -> Alert:
    polled = "telegram_bot_poll_last_success_timestamp_seconds"
    asked = 'telegram_api_requests_total{method="getUpdates"}'
    return Alert(
        name="BotPollingStalled",
        group=GROUP,
        severity="critical",
        expr=(
            f"time() - max by (env, service) ({polled} > 0"
            f" or process_start_time_seconds and on (env, service, instance) {asked})"
            " > {threshold}"
        ),
        threshold=60,
        unit="s",
        reason="A poll waits 10 s at most: six in a row were not answered.",
        summary=(
            "{{ $labels.service }} has not heard from Telegram for {{ $value | humanizeDuration }}"
        ),
        impact="The bot answers nobody. Telegram keeps what people write for 24 hours.",
        labels=where.labels("polling", "availability"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "The bot's process lives, but its last successful `getUpdates` is older than a"
                " minute, or it has never had one since it started."
            ),
            diagnosis=(
                "What does Telegram answer to the poll?\n\n"
                + ask('sum by (code) (rate(telegram_api_requests_total{method="getUpdates"}[2m]))')
                + "\n`409`: a second bot polls (BotConflict). `401`: the token was revoked"
                " (BotUnauthorized). `network` or `500`: Telegram, or the way to it"
                " (TelegramApiDown). No answer at all: the poll hangs.\n\n"
                + errors_of("bot")
                + shell(
                    "curl -sm 5 -o /dev/null -w '%{http_code} %{time_total}\\n' https://api.telegram.org/"
                )
            ),
            mitigation=(
                "The poll hangs, and Telegram answers you: restart the bot. Nothing is lost, it"
                " goes on with the first update that it has not confirmed.\n\n"
                + shell("abops stack restart bot")
                + "\nTelegram does not answer you either: wait; the bot asks again every 3 s."
            ),
        ),
        cases=_stalled_cases(polled),
    )


def _stalled_cases(polled: str) -> tuple[Case, ...]:
    # The last poll is five seconds old at each sample, until polls end at 5 min.
    stalls = labelled(polled, "-5+15x20 295x40", _INSTANCE)
    never = labelled(polled, steady(0), _INSTANCE)
    started = labelled("process_start_time_seconds", steady(1), _INSTANCE)

    def asked(method: str) -> dict[str, str]:
        labels = {**_INSTANCE, "method": method, "code": "network"}
        return labelled("telegram_api_requests_total", steady(9), labels)

    def fired(age: str) -> tuple[Fired, ...]:
        return (Fired(_SERVED, f"bot has not heard from Telegram for {age}"),)

    return (
        Case("the last answer is 65 s old", stalls, 360 * _SECOND, fired("1m 5s")),
        Case("the last answer is 50 s old", stalls, 345 * _SECOND),
        Case(
            "a process that is older than its stall",
            stalls | started | asked("getUpdates"),
            345 * _SECOND,
        ),
        Case(
            "no poll was ever answered",
            never | started | asked("getUpdates"),
            75 * _SECOND,
            fired("1m 14s"),
        ),
        Case("it has just started", never | started | asked("getUpdates"), 45 * _SECOND),
        Case("a bot that has a webhook", never | started | asked("sendMessage"), _LATER),
        Case("it polls", labelled(polled, "-5+15x60", _INSTANCE), _LATER),
        Case("no data", {}, _LATER),
    )


def _answers(where: Place, method: str, code: str) -> dict[str, str]:
    return {"env": "local", "service": where.service, "method": method, "code": code}


def _conflict(where: Place) -> Alert:
    limit = 5.0

    def series(value: float, method: str = "getUpdates", code: str = "409") -> dict[str, str]:
        return labelled(_CALLS, steady(value / _WINDOW_S), _answers(where, method, code))

    return Alert(
        name="BotConflict",
        group=GROUP,
        severity="critical",
        expr=(
            f'sum by (env, service) ({_CALLS}{{method="getUpdates",code="409"}}) * {_WINDOW_S}'
            " > {threshold}"
        ),
        threshold=limit,
        unit="in 5 minutes",
        reason="A deploy may cause one or two, while the old poll ends; more is a second bot.",
        summary="Two bots poll with the token of {{ $labels.service }}",
        impact="Updates go now to one bot, now to the other: people get double answers, or none.",
        labels=where.labels("polling", "availability"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "Telegram answered 409 to `getUpdates`: another process polls with the same token,"
                " or a webhook is set beside the poll. Exactly one may listen."
            ),
            diagnosis=(
                "How many bots are there?\n\n"
                + ask('up{job="analyticbot-bot"}')
                + shell(
                    "kubectl get pods -A -l app.kubernetes.io/component=bot",
                    "pgrep -af apps.bot.run_bot",
                )
                + "\nOne only: somebody runs another outside of this environment, mostly a"
                " developer with the production token, or the old cluster. `getWebhookInfo` with a"
                " `url` in it: a webhook."
            ),
            mitigation=(
                "Stop the one too many (its deployment must say `replicas: 1` and `strategy:"
                " Recreate`). A webhook that nobody wants: call `deleteWebhook`. If the other one"
                " cannot be found, revoke the token at @BotFather and put the new one into the"
                " secret: that shuts everybody else out."
            ),
        ),
        cases=(
            *around(
                limit, series, lambda _v: Fired(_SERVED, "Two bots poll with the token of bot")
            ),
            Case("another method is refused", series(90, "sendMessage"), _LATER),
            Case("the poll fails otherwise", series(90, code="502"), _LATER),
        ),
    )


def _unauthorized(where: Place) -> Alert:
    limit = 1.0

    def series(value: float, code: str = "401") -> dict[str, str]:
        return labelled(_CALLS, steady(value / _WINDOW_S), _answers(where, "getUpdates", code))

    return Alert(
        name="BotUnauthorized",
        group=GROUP,
        severity="critical",
        expr=f'sum by (env, service) ({_CALLS}{{code="401"}}) * {_WINDOW_S} > {{threshold}}',
        threshold=limit,
        unit="in 5 minutes",
        reason="Telegram does not err about tokens: the second 401 says the same as the first.",
        summary=(
            "Telegram no longer knows the token of {{ $labels.service }}"
            " ({{ $value | humanize }} refusals in 5 minutes)"
        ),
        impact="The bot hears nobody, and no post is sent.",
        labels=where.labels("polling", "availability"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "Telegram answers 401: the token was revoked at @BotFather, or the secret holds"
                " another one than before. A bot that starts with such a token ends at once"
                " (exit code 1), so TargetVanished may come along."
            ),
            diagnosis=(
                "Does the secret's token still work? (Do not type it: the shell remembers.)\n\n"
                + shell(
                    "curl -s -K <(printf 'url = https://api.telegram.org/bot%s/getMe\\n'"
                    ' "$(cat TOKEN-FILE)")',
                )
                + '\n`"ok":true`: the process has an older one; a restart is enough. `401`: it was'
                " revoked. Ask who did it, and why: somebody may have had to."
            ),
            mitigation=(
                "Fetch a new token from @BotFather (`/token`), write it into the secret"
                " (`.stack/secrets/bot-token` on this machine), then:\n\n"
                + shell("abops stack restart bot", "abops stack restart worker")
                + "\nPosts that were due meanwhile are sent by the next tick of beat."
            ),
        ),
        cases=(
            *around(
                limit,
                series,
                lambda v: Fired(
                    _SERVED,
                    f"Telegram no longer knows the token of bot ({amount(v)} refusals in 5"
                    " minutes)",
                ),
            ),
            Case("Telegram refuses otherwise", series(90, "403"), _LATER),
        ),
    )
