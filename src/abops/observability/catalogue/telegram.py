"""Alerts about Telegram as all that call it meet it: bot, worker and the account client."""

from datetime import timedelta
from typing import Final

from abops.observability.catalogue.alert import Alert, Case, Fired, Runbook, Severity
from abops.observability.catalogue.cases import STEP, Timing, around, labelled, steady
from abops.observability.catalogue.commands import ask, errors_of, shell
from abops.observability.catalogue.place import Place
from abops.observability.catalogue.wording import percent

GROUP, BOARD = "telegram", "bot"
_MINUTE: Final = timedelta(minutes=1)
_SERVED: Final = {"env": "local", "service": "worker"}
_ACCOUNTS: Final = {"env": "local", "service": "mtproto"}
_CALLS: Final = "service:telegram_api_requests:rate5m"
_ENOUGH: Final = 0.05
"""Calls a second, fifteen in five minutes: of fewer, a share says little."""
_LATER: Final = 30 * _MINUTE


def telegram_alerts(where: Place) -> tuple[Alert, ...]:
    """Return the alerts; they belong to the bot's team."""
    return (
        _rate_limited(where, "warning"),
        _rate_limited(where, "critical"),
        _retry_after(where),
        _api_down(where),
        _flood_wait(where),
        _session_lost(where),
    )


_LIMITS: Final = Runbook(
    meaning=(
        "Telegram holds us back: this share of the calls was answered with 429. It allows about 30"
        " messages a second in all, one a second to a chat, 20 a minute to a group."
    ),
    diagnosis=(
        "Which method, and who calls?\n\n"
        + ask(
            "sum by (service, method)"
            ' (service_method_code:telegram_api_requests:rate5m{code="429"})'
        )
        + "\nHow many messages a second is that in all?\n\n"
        + ask("sum by (service, method) (service_method_code:telegram_api_requests:rate5m)")
        + "\nMuch more than usual: many posts of one minute, or a loop that repeats itself"
        " (WorkerRetryStorm). As usual: one chat or group gets too many."
    ),
    mitigation=(
        "The worker waits as long as Telegram says and sends again: posts come late, none is lost."
        " A burst ends by itself. A loop: stop the worker until it is mended, since calls made"
        " while held back prolong the ban.\n\n"
        + shell("abops stack stop worker", "abops stack start worker")
        + "\nFor good: spread posts of the same minute, lower `--concurrency`."
    ),
)


def _rate_limited(where: Place, severity: Severity) -> Alert:
    metric = "service:telegram_api_limited:ratio_rate5m"
    limit, hold = (0.1, 10 * _MINUTE) if severity == "critical" else (0.01, 5 * _MINUTE)
    return Alert(
        name="TelegramRateLimited",
        instance=severity,
        group=GROUP,
        severity=severity,
        expr=f"{metric} > {{threshold}}",
        threshold=limit,
        unit="ratio",
        reason=(
            "Every tenth call is wasted for ten minutes: we do not get below the limit ourselves."
            if severity == "critical"
            else "One in a hundred for five minutes: the limit is reached, and posts come late."
        ),
        hold=hold,
        summary=(
            "Telegram holds back {{ $value | humanizePercentage }} of the calls of"
            " {{ $labels.service }}"
        ),
        impact="Posts and answers come late; if it lasts, Telegram bans the bot for longer.",
        labels=where.labels("telegram", "saturation"),
        board=BOARD,
        runbook=_LIMITS,
        cases=around(
            limit,
            lambda v: labelled(metric, steady(v), _SERVED),
            lambda v: Fired(_SERVED, f"Telegram holds back {percent(v)} of the calls of worker"),
            timing=Timing(hold),
        ),
    )


def _waits(
    metric: str, limit: float, minutes: int, labels: dict[str, str], fired: Fired
) -> tuple[Case, ...]:
    """Return the cases of `increase(metric[minutes]) > limit`.

    Waiting begins in the eleventh minute, after long rest, at a rate that passes the limit when
    it has lasted the whole window; so a shorter window does not reach it and a longer one does
    too early. It ends later, and is forgotten when the window has passed.
    """
    window = minutes * _MINUTE
    steps, rest = int(window / STEP), int(10 * _MINUTE / STEP)
    begins = rest * STEP

    def waiting(share: float, lasts: int) -> dict[str, str]:
        each = limit * share / steps
        ends = each * lasts
        return labelled(
            metric, f"0x{rest} {each:.6g}+{each:.6g}x{lasts - 1} {ends:.6g}x{2 * steps}", labels
        )

    return (
        Case("past the threshold", waiting(1.1, 3 * steps), begins + window + 2 * STEP, (fired,)),
        Case("short of the threshold", waiting(0.9, 3 * steps), begins + 2 * window),
        Case("not yet", waiting(1.1, 3 * steps), begins + window * 0.75),
        Case("over", waiting(1.5, steps), begins + window * 1.75),
        Case("no data", {}, window),
    )


def _retry_after(where: Place) -> Alert:
    metric, limit = "telegram_api_retry_after_seconds_total", 120.0
    return Alert(
        name="TelegramRetryAfterHigh",
        group=GROUP,
        severity="warning",
        expr=f"sum by (env, service) (increase({metric}[10m])) > {{threshold}}",
        threshold=limit,
        unit="s in 10 minutes",
        reason="A fifth of the time spent waiting: Telegram has begun to ban, not only to slow.",
        summary="Telegram told {{ $labels.service }} to wait for long in the last 10 minutes",
        impact="Posts come minutes late; those of the same chat queue behind each other.",
        labels=where.labels("telegram", "latency"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "The `retry_after` of Telegram's 429 answers adds up to more than two minutes in"
                " ten. Short waits are usual at full speed; long ones are a ban."
            ),
            diagnosis=(
                ask("sum by (service) (increase(telegram_api_retry_after_seconds_total[10m]))")
                + "\nFew 429 with long waits: one group or chat is over its limit. Many with short"
                " ones: the bot as a whole, see TelegramRateLimited.\n\n" + errors_of("worker")
            ),
            mitigation=(
                "Let it wait: calls made meanwhile prolong it. Do not restart the worker, it would"
                " forget its waits and ask at once. Take posts of the chat that is over its limit"
                " out of this hour."
            ),
        ),
        cases=_waits(
            metric,
            limit,
            10,
            {**_SERVED, "job": "analyticbot-worker"},
            Fired(_SERVED, "Telegram told worker to wait for long in the last 10 minutes"),
        ),
    )


def _api_down(where: Place) -> Alert:
    metric, limit = "service:telegram_api_unanswered:ratio_rate5m", 0.5

    def series(value: float, calls: float = 1) -> dict[str, str]:
        return labelled(metric, steady(value), _SERVED) | labelled(_CALLS, steady(calls), _SERVED)

    def fired(value: float) -> Fired:
        return Fired(_SERVED, f"{percent(value)} of the calls of worker to Telegram fail")

    return Alert(
        name="TelegramApiDown",
        group=GROUP,
        severity="critical",
        expr=f"{metric} > {{threshold}} and {_CALLS} > {_ENOUGH}",
        threshold=limit,
        unit="ratio",
        reason=(
            "Above a half Telegram is down for us. Refusals (4xx) do not count: those are ours."
        ),
        summary=(
            "{{ $value | humanizePercentage }} of the calls of {{ $labels.service }} to Telegram"
            " fail"
        ),
        impact="Posts are not sent and people get no answers until Telegram is back.",
        labels=where.labels("telegram", "availability"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "More than half of the calls of five minutes got no answer (`network`) or a 5xx."
            ),
            diagnosis=(
                "Telegram, or our way to it?\n\n"
                + shell(
                    "curl -sm 10 -o /dev/null -w '%{http_code} %{time_connect} %{time_total}\\n'"
                    " https://api.telegram.org/",
                    "getent hosts api.telegram.org",
                )
                + "\nThe same from another network: if it works there, it is our DNS, firewall or"
                " proxy. With `network` only and nothing else wrong, look at the egress rules of"
                " the last deploy. On this machine the stub answers for Telegram:\n\n"
                + shell("abops stack status", "abops stack logs telegram-stub -n 20")
            ),
            mitigation=(
                "Ours: undo the change of network or DNS. Telegram's: wait. Nothing is lost: posts"
                " are tried again at every tick of beat, for a day; people's messages stay at"
                " Telegram for 24 hours. Tell customers if it lasts longer than a quarter of an"
                " hour. Do not restart in a loop."
            ),
        ),
        cases=(
            *around(limit, series, fired),
            Case("just enough calls", series(0.9, 1.1 * _ENOUGH), _LATER, (fired(0.9),)),
            Case("hardly any call", series(0.9, 0.9 * _ENOUGH), _LATER),
            Case("calls are unknown", labelled(metric, steady(0.9), _SERVED), _LATER),
        ),
    )


def _flood_wait(where: Place) -> Alert:
    metric, limit = "telegram_mtproto_flood_wait_seconds_total", 300.0
    return Alert(
        name="TelegramFloodWait",
        group=GROUP,
        severity="warning",
        expr=f"sum by (env, service) (increase({metric}[15m])) > {{threshold}}",
        threshold=limit,
        unit="s in 15 minutes",
        reason="A third of the time is spent waiting; accounts that go on are limited for days.",
        summary="The accounts of {{ $labels.service }} wait most of the time (FLOOD_WAIT)",
        impact="Statistics of channels are hours old.",
        labels=where.labels("mtproto", "saturation"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "Telegram answers the accounts that read channels with FLOOD_WAIT: together they"
                " waited more than five minutes in a quarter of an hour."
            ),
            diagnosis=(
                ask("sum by (method, result) (rate(telegram_mtproto_requests_total[15m]))")
                + "\nThe method with the most calls is the one to slow down. Did the number of"
                " channels grow?\n\n" + ask("analyticbot_channels")
            ),
            mitigation=(
                "Read less often, or add an account: one account reads some hundred channels an"
                " hour. Never answer a FLOOD_WAIT by going on with another account of the same"
                " address: Telegram bans both."
            ),
        ),
        cases=_waits(
            metric,
            limit,
            15,
            _ACCOUNTS,
            Fired(_ACCOUNTS, "The accounts of mtproto wait most of the time (FLOOD_WAIT)"),
        ),
    )


def _session_lost(where: Place) -> Alert:
    metric, limit = "telegram_mtproto_sessions", 1.0

    def series(value: float, state: str = "lost") -> dict[str, str]:
        return labelled(metric, steady(value), {**_ACCOUNTS, "state": state})

    return Alert(
        name="TelegramSessionLost",
        group=GROUP,
        severity="critical",
        expr=f'sum by (env, service) ({metric}{{state="lost"}}) >= {{threshold}}',
        threshold=limit,
        unit="sessions",
        reason="A session that Telegram has ended never comes back by itself.",
        summary="{{ $labels.service }} has lost a session: its account is logged out",
        impact="The channels of this account are no longer read; their statistics stand still.",
        labels=where.labels("mtproto", "availability"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "Telegram has ended a session (AUTH_KEY_UNREGISTERED, SESSION_REVOKED,"
                " USER_DEACTIVATED): somebody logged the account out, or it was banned."
            ),
            diagnosis=(
                ask("sum by (state) (telegram_mtproto_sessions)")
                + errors_of("mtproto")
                + "\nThe error names the reason. USER_DEACTIVATED is a ban; the others are a"
                " log-out. In the account's own app, *Devices* shows who is logged in: an unknown"
                " device means that the account was taken, change its password first."
            ),
            mitigation=(
                "Log the account in again with its phone (a code comes by Telegram), and write the"
                " new session into the secret. A ban: move its channels to another account, and"
                " write to recover@telegram.org. Do not log in again and again, it bans for longer."
            ),
        ),
        cases=(
            *around(
                limit,
                series,
                lambda _v: Fired(
                    _ACCOUNTS, "mtproto has lost a session: its account is logged out"
                ),
            ),
            Case("sessions that live", series(5, "active"), _LATER),
        ),
    )
