"""Group `telling`: whether alerts still reach people, and the way around a dead alert service."""

from datetime import timedelta

from abops.observability.catalogue.alert import Alert, Case, Fired, Runbook
from abops.observability.catalogue.probes import SEEN_FOR_A_MINUTE, vanished_cases

GROUP = "telling"
STUCK_S = 30
"""Age of the oldest critical message in the outbox at which the alert service counts as stuck:
the time in which a page should have arrived."""

_UP = 'up{job="abops-alerts",service="alerts",env="local",instance="a"}'
_OTHER_UP = _UP.replace('instance="a"', 'instance="b"')
_LEADS = 'abops_alerts_leads{job="abops-alerts",env="local",instance="a"}'
_OTHER_LEADS = _LEADS.replace('instance="a"', 'instance="b"')
_OUTBOX = 'abops_outbox_oldest_seconds{job="abops-alerts",severity="critical",env="local"}'
_FIRING = (
    'ALERTS{alertname="ApiErrorStorm",alertstate="firing",severity="critical",service="api",'
    'env="local"}'
)


def telling_alerts() -> tuple[Alert, ...]:
    """Return the alerts about telling."""
    return (_watchdog(), _service_down(), _direct_page())


def _watchdog() -> Alert:
    return Alert(
        name="Watchdog",
        group=GROUP,
        severity="none",
        expr="vector(1)",
        threshold=None,
        unit="",
        reason="It always fires: its silence is the alarm.",
        summary="Alerts travel from Prometheus to the alert service",
        impact="None while it fires.",
        labels={"component": "telling", "category": "system", "service": "alerts"},
        runbook=Runbook(
            meaning=(
                "This alert always fires. The alert service raises DeadMansSwitch when it has not"
                " heard it for 180 s."
            ),
            diagnosis=(
                "```\nabops stack status\ncurl -s http://ALERTMANAGER/api/v2/alerts?filter=alertname%3DWatchdog\n```\n"
                "Prometheus down, Alertmanager down, or the webhook's token is wrong."
            ),
            mitigation="```\nabops stack restart prometheus\nabops stack restart alertmanager\n```",
        ),
        cases=(
            Case(
                "always",
                {},
                timedelta(seconds=5),
                (Fired({}, "Alerts travel from Prometheus to the alert service"),),
            ),
        ),
    )


def _service_down() -> Alert:
    up = 'up{job="abops-alerts"}'
    summary = "The alert service does not answer; Alertmanager pages directly"
    return Alert(
        name="AlertServiceDown",
        group=GROUP,
        severity="critical",
        expr=(
            f"max by (env) (avg_over_time({up}[15s])) < {{threshold}}"
            f" or max without (job) (absent_over_time({up}[15s])) and on () ({SEEN_FOR_A_MINUTE})"
        ),
        threshold=0.5,
        unit="ratio",
        reason="Two failed scrapes of three.",
        summary=summary,
        impact="No incidents, no grouping, no acknowledgement; critical alerts page one by one.",
        labels={
            "component": "telling",
            "category": "system",
            "tier": "1",
            "team": "devops",
            "service": "alerts",
        },
        runbook=Runbook(
            meaning=(
                "Prometheus cannot scrape the alert service. Critical alerts take the direct way."
            ),
            diagnosis="```\nabops stack status\nabops stack logs alerts -n 50\n```",
            mitigation=(
                "```\nabops stack restart alerts\n```\nWhat it acknowledged is stored; on start it"
                " goes on with the messages that were not delivered."
            ),
        ),
        cases=(
            Case(
                "scrapes fail",
                {_UP: "1 1 1 1 0 0 0"},
                timedelta(seconds=30),
                (Fired({"env": "local"}, summary),),
            ),
            *vanished_cases(_UP, Fired({"env": "local"}, summary), Fired({}, summary)),
        ),
    )


def _direct_page() -> Alert:
    firing = (
        'ALERTS{alertstate="firing",severity="critical",alertname!~"DirectPage|AlertServiceDown"}'
    )
    well = (
        'max(up{job="abops-alerts"}) == 1 and on ()'
        " max(abops_alerts_leads) == 1 and on ()"
        ' max(abops_outbox_oldest_seconds{severity="critical"}) < {threshold}'
    )
    return Alert(
        name="DirectPage",
        group=GROUP,
        severity="critical",
        expr=(
            "max without (alertstate) ("
            f'label_replace({firing}, "origin", "$1", "alertname", "(.+)"))'
            f" unless on () ({well})"
        ),
        threshold=STUCK_S,
        unit="seconds",
        hold=timedelta(seconds=10),
        reason="A page is due within 30 s; an older one in the outbox means that it is stuck.",
        summary="{{ $labels.origin }} on {{ $labels.service }}, paged directly",
        impact="See {{ $labels.origin }}. The alert service is down or stuck as well.",
        labels={"category": "system"},
        runbook=Runbook(
            meaning=(
                "A critical alert fires while every replica of the alert service is down, none of"
                " them leads, or it has not delivered for 30 s. The label `origin` names the alert;"
                " its runbook is the one to follow."
            ),
            diagnosis="```\nabops stack status\nabops stack logs alerts -n 50\n```",
            mitigation=(
                "First what `origin` says. Then the alert service:\n\n```\n"
                "abops stack restart alerts\n```"
            ),
        ),
        cases=_direct_cases(),
    )


def _direct_cases() -> tuple[Case, ...]:
    fired = Fired(
        {"origin": "ApiErrorStorm", "service": "api", "env": "local"},
        "ApiErrorStorm on api, paged directly",
    )
    told = timedelta(seconds=40)
    down = {_FIRING: "1x20", _UP: "0x20"}
    well = {_UP: "1x20", _LEADS: "1x20", _OUTBOX: "27x20"}
    last_word = {_LEADS: "1x20", _OUTBOX: "3x20"}
    another = _UP.replace("abops-alerts", "another")
    return (
        Case("the service is down", down, timedelta(seconds=10), (fired,)),
        Case("not before its hold", down, timedelta(seconds=5)),
        Case("the service is stuck", {_FIRING: "1x20", **well, _OUTBOX: "33x20"}, told, (fired,)),
        Case("every replica is down", down | {_OTHER_UP: "0x20"}, told, (fired,)),
        Case(
            "no replica leads",
            {_FIRING: "1x20", **well, _LEADS: "0x20", _OTHER_UP: "1x20", _OTHER_LEADS: "0x20"},
            told,
            (fired,),
        ),
        Case(
            "one replica is down, the other leads",
            down | {_OTHER_UP: "1x20", _OTHER_LEADS: "1x20", _OUTBOX: "3x20"},
            told,
        ),
        Case(
            "one of two replicas leads",
            {_FIRING: "1x20", **well, _OTHER_UP: "1x20", _OTHER_LEADS: "0x20"},
            told,
        ),
        Case("the service is down, its last word was good", down | last_word, told, (fired,)),
        Case("the service is well", {_FIRING: "1x20", **well}, told),
        Case(
            "the service is down, another job is well",
            down | last_word | {another: "1x20"},
            told,
            (fired,),
        ),
        Case(
            "the service is well, another job is not",
            {_FIRING: "1x20", **well, another: "0x20"},
            told,
        ),
        Case("nothing fires", {_UP: "0x20"}, told),
        Case("it is pending", {_FIRING.replace("firing", "pending"): "1x20", _UP: "0x20"}, told),
        Case("only a warning", {_FIRING.replace("critical", "warning"): "1x20", _UP: "0x20"}, told),
        Case(
            "what reports the service itself is told anyway",
            {_FIRING.replace("ApiErrorStorm", "AlertServiceDown"): "1x20", _UP: "0x20"},
            told,
        ),
    )
