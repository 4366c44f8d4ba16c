"""Whether alerts get from Prometheus to people."""

from datetime import timedelta
from typing import Final

from abops.observability.catalogue.alert import Alert, Case, Fired, Runbook
from abops.observability.catalogue.cases import (
    MARGIN,
    TURN,
    Timing,
    around,
    burst,
    labelled,
    rising,
    steady,
    turning,
)
from abops.observability.catalogue.probes import SEEN_FOR_A_MINUTE
from abops.observability.catalogue.telemetry_place import GROUP, place

_PAST_ITS_START: Final = 'time() - process_start_time_seconds{job="prometheus"} > 360'
"""Longer than the five minutes in which its start could still be seen."""
_QUARTER: Final = timedelta(minutes=15)
_PROMETHEUS: Final = {"job": "prometheus", "service": "prometheus", "env": "local"}


def sending_alerts(teams: dict[str, str]) -> tuple[Alert, ...]:
    """Return the alerts about the way of an alert; `teams` maps a part to its team."""
    return (*_sending(teams), *_messages(teams))


_PROMETHEUS_NOT_SENDING_RUNBOOK: Final = Runbook(
    meaning="Alerts were dropped, or Prometheus knows no Alertmanager at all.",
    diagnosis=(
        "```\ncurl -s http://PROMETHEUS/api/v1/alertmanagers\n"
        "curl -si http://ALERTMANAGER/-/ready\nabops stack logs prometheus -n 50\n```\n"
        "An empty list means that `targets/alertmanagers.yml` is missing."
    ),
    mitigation=(
        "```\nabops stack restart alertmanager\nabops stack up\n```\n"
        "`up` writes the target files anew. Until then watch http://PROMETHEUS/alerts"
        " by eye."
    ),
)
_ALERTMANAGER_SEND_FAILING_RUNBOOK: Final = Runbook(
    meaning="More than a tenth of the deliveries through this integration fail.",
    diagnosis=(
        "```\nabops stack logs alertmanager -n 50\nabops stack status\n"
        "abops alerts routes check --probe\n```\n`webhook` is the alert service:"
        " 401 means a wrong token, a refused connection that it is down."
    ),
    mitigation=(
        "```\nabops stack restart alerts\n```\nA wrong token: `abops stack up` writes"
        " both sides anew. A provider that is down: wait, messages are repeated."
    ),
)


def _prometheus_not_sending(teams: dict[str, str]) -> Alert:
    return Alert(
        name="PrometheusNotSending",
        group=GROUP,
        severity="critical",
        expr=(
            "sum by (env) (increase(prometheus_notifications_dropped_total[5m])) > {threshold}"
            f" and on () ({_PAST_ITS_START})"
            " or max by (env) (prometheus_notifications_alertmanagers_discovered) == 0"
            f" and on () ({SEEN_FOR_A_MINUTE})"
        ),
        threshold=0,
        unit="alerts",
        reason=(
            "An alert that was dropped is a page that nobody got; what was dropped in the seconds"
            " before Alertmanager was found at the start is sent again within a minute."
        ),
        summary="Prometheus cannot hand its alerts to Alertmanager",
        impact="Nobody is paged for anything, except by what watches from outside.",
        labels=place("prometheus", "availability", teams["prometheus"], "critical"),
        board="platform",
        runbook=_PROMETHEUS_NOT_SENDING_RUNBOOK,
        cases=_not_sending_cases(),
    )


def _not_sending_cases() -> tuple[Case, ...]:
    found = "prometheus_notifications_alertmanagers_discovered"
    dropped = "prometheus_notifications_dropped_total"
    fired = Fired({"env": "local"}, "Prometheus cannot hand its alerts to Alertmanager")
    known = labelled(found, "1x300", _PROMETHEUS)
    nobody = labelled(found, "0x300", _PROMETHEUS)
    drops = labelled(dropped, "0x18 5x300", _PROMETHEUS) | known
    others = labelled("process_start_time_seconds", "-9000x300", {"job": "api", "env": "local"})

    def started(seconds: int) -> dict[str, str]:
        return labelled("process_start_time_seconds", f"{seconds}x300", _PROMETHEUS) | others

    at = timedelta(minutes=5)
    age = int(at.total_seconds())
    return (
        *burst(dropped, _PROMETHEUS, timedelta(minutes=5), fired, known | started(-9000)),
        Case("dropped long after its start", drops | started(age - 396), at, (fired,)),
        Case("dropped while it starts", drops | started(age - 324), at),
        Case("no Alertmanager is known", nobody | started(age - 66), at, (fired,)),
        Case("none is known yet", nobody | started(age - 54), at),
    )


def _alertmanager_send_failing(teams: dict[str, str]) -> Alert:
    receiver = {"integration": "webhook"}
    manager = {"job": "alertmanager", "service": "alertmanager", "env": "local"}
    fired = Fired({"env": "local", **receiver}, "Alertmanager fails to deliver through webhook")
    failing = labelled(
        "alertmanager_notifications_failed_total", turning(0, 30), manager | receiver
    ) | labelled("alertmanager_notifications_total", rising(150), manager | receiver)
    crossing = TURN + timedelta(minutes=2, seconds=45) + timedelta(minutes=2)
    return Alert(
        name="AlertmanagerSendFailing",
        group=GROUP,
        severity="critical",
        expr=(
            "sum by (env, integration)"
            " (rate(alertmanager_notifications_failed_total[5m]))"
            " / (sum by (env, integration) (rate(alertmanager_notifications_total[5m])) > 0)"
            " > {threshold}"
        ),
        threshold=0.1,
        unit="ratio",
        reason="One failure is repeated within a minute; a tenth of all is a broken channel.",
        hold=timedelta(minutes=2),
        summary="Alertmanager fails to deliver through {{ $labels.integration }}",
        impact="Alerts arrive late or not at all.",
        labels=place("alertmanager", "errors", teams["alertmanager"], "critical"),
        board="platform",
        runbook=_ALERTMANAGER_SEND_FAILING_RUNBOOK,
        cases=(
            *around(
                0.1,
                lambda value: (
                    labelled(
                        "alertmanager_notifications_failed_total",
                        rising(value * 150),
                        manager | receiver,
                    )
                    | labelled("alertmanager_notifications_total", rising(150), manager | receiver)
                ),
                lambda _value: fired,
                timing=Timing(hold=timedelta(minutes=2), warm=timedelta(seconds=15)),
            ),
            Case("a fifth fails since half its window", failing, crossing + MARGIN, (fired,)),
            Case("a fifth fails for less", failing, crossing - MARGIN),
        ),
    )


def _sending(teams: dict[str, str]) -> tuple[Alert, ...]:
    return (_prometheus_not_sending(teams), _alertmanager_send_failing(teams))


_NOTIFICATION_SLOW_RUNBOOK: Final = Runbook(
    meaning=(
        "One message in twenty of the last quarter of an hour reached this channel"
        " later than 30 s after its alert began."
    ),
    diagnosis=(
        "```\nabops alerts list\nabops stack logs alerts -n 50\n"
        "abops alerts routes check --probe\n```\n`429` in the log: the provider holds"
        " us back, and says for how long."
    ),
    mitigation=(
        "A storm of alerts: find the one cause on the incidents page. A slow provider:"
        " nothing to mend here; critical pages go to a second channel meanwhile."
    ),
)
_DEAD_LETTER_GROWING_RUNBOOK: Final = Runbook(
    meaning="A channel refused a message for good, or for longer than it may wait.",
    diagnosis=(
        "```\nabops alerts list\nabops alerts show NUMBER\n"
        "abops alerts routes check --probe\n```\nThe incident names the channel and"
        " what it answered: `channel_not_found`, `chat not found`, a revoked token."
    ),
    mitigation=(
        "Mend the channel or its secret in platform.yaml, prove it with `abops alerts"
        " fire --test`, and tell the people of the listed incidents by hand."
    ),
)
_ALERT_OUTBOX_FILLING_RUNBOOK: Final = Runbook(
    meaning="The oldest message that is no page has waited for ten minutes.",
    diagnosis=("```\nabops alerts routes check --probe\nabops stack logs alerts -n 50\n```"),
    mitigation=(
        "A provider that is down: wait. A storm: silence its cause. A stuck service:"
        " `abops stack restart alerts`; nothing is lost, the outbox is on disk."
    ),
)


def _notification_slow(teams: dict[str, str]) -> Alert:
    service = {"job": "abops-alerts", "service": "alerts", "env": "local"}
    told = service | {"channel": "slack-ops", "severity": "critical"}

    def latency(slow_share: float) -> dict[str, str]:
        bucket = "abops_notification_latency_seconds_bucket"
        fast = rising(100 * (1 - slow_share))
        return (
            labelled(bucket, fast, told | {"le": "30.0"})
            | labelled(bucket, rising(100), told | {"le": "45.0"})
            | labelled(bucket, rising(100), told | {"le": "+Inf"})
        )

    bucket = "abops_notification_latency_seconds_bucket"
    slowing = (
        labelled(bucket, turning(100, 90), told | {"le": "30.0"})
        | labelled(bucket, rising(100), told | {"le": "45.0"})
        | labelled(bucket, rising(100), told | {"le": "+Inf"})
    )
    half = TURN + timedelta(minutes=7, seconds=45)
    fired = Fired(
        {"env": "local", "channel": "slack-ops"}, "Messages to slack-ops take more than 30 s"
    )
    return Alert(
        name="NotificationSlow",
        group=GROUP,
        severity="warning",
        expr=(
            "histogram_quantile(0.95, sum by (env, channel, le)"
            " (rate(abops_notification_latency_seconds_bucket[15m]))) > {threshold}"
        ),
        threshold=30,
        unit="s",
        reason="A page within 30 s is the promise.",
        summary="Messages to {{ $labels.channel }} take more than 30 s",
        impact="People learn of an outage later than promised.",
        labels=place("alerts", "latency", teams["alerts"]),
        board="alert-quality",
        runbook=_NOTIFICATION_SLOW_RUNBOOK,
        cases=(
            Case(
                "one in ten is slow",
                latency(0.1),
                timedelta(minutes=20),
                (fired,),
            ),
            Case("one in fifty is slow", latency(0.02), timedelta(minutes=20)),
            Case("one in ten since half its window", slowing, half + MARGIN, (fired,)),
            Case("one in ten for less", slowing, half - MARGIN),
            Case("nobody is told anything", {}, timedelta(minutes=20)),
        ),
    )


def _dead_letter_growing(teams: dict[str, str]) -> Alert:
    service = {"job": "abops-alerts", "service": "alerts", "env": "local"}
    return Alert(
        name="DeadLetterGrowing",
        group=GROUP,
        severity="warning",
        expr="sum by (env, service) (increase(abops_dead_letters_total[15m])) > {threshold}",
        threshold=0,
        unit="messages",
        reason="A message that is given up is somebody who was not told.",
        summary="Messages about incidents were given up",
        impact="Somebody was not told about an incident; the console still shows it.",
        labels=place("alerts", "errors", teams["alerts"]),
        board="alert-quality",
        runbook=_DEAD_LETTER_GROWING_RUNBOOK,
        cases=burst(
            "abops_dead_letters_total",
            service,
            _QUARTER,
            Fired({"env": "local", "service": "alerts"}, "Messages about incidents were given up"),
        ),
    )


def _alert_outbox_filling(teams: dict[str, str]) -> Alert:
    service = {"job": "abops-alerts", "service": "alerts", "env": "local"}
    return Alert(
        name="AlertOutboxFilling",
        group=GROUP,
        severity="warning",
        expr=(
            "max by (env, service) (abops_outbox_oldest_seconds"
            '{severity=~"warning|info"}) > {threshold}'
        ),
        threshold=600,
        unit="s",
        reason="Ten minutes is longer than any provider's usual Retry-After.",
        hold=timedelta(minutes=1),
        summary="A message has waited for {{ $value | humanizeDuration }}",
        impact="Warnings do not reach the chat; pages are watched by DirectPage.",
        labels=place("alerts", "saturation", teams["alerts"]),
        board="alert-quality",
        runbook=_ALERT_OUTBOX_FILLING_RUNBOOK,
        cases=(
            *around(
                600,
                lambda value: labelled(
                    "abops_outbox_oldest_seconds",
                    steady(value),
                    service | {"severity": "warning"},
                ),
                lambda _value: Fired(
                    {"env": "local", "service": "alerts"}, "A message has waited for 11m 0s"
                ),
                timing=Timing(hold=timedelta(minutes=1)),
            ),
            Case(
                "a page is another alert's business",
                labelled(
                    "abops_outbox_oldest_seconds",
                    steady(900),
                    service | {"severity": "critical"},
                ),
                timedelta(minutes=5),
            ),
        ),
    )


def _messages(teams: dict[str, str]) -> tuple[Alert, ...]:
    return (_notification_slow(teams), _dead_letter_growing(teams), _alert_outbox_filling(teams))
