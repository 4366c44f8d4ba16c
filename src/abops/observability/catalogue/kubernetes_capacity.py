"""Whether what runs has room: memory, CPU, replicas, volumes, quotas."""

from datetime import timedelta

from abops.observability.catalogue.alert import Alert, Fired, Runbook
from abops.observability.catalogue.cases import Timing, around, labelled, steady
from abops.observability.catalogue.commands import ask, shell
from abops.observability.catalogue.kubernetes_place import BOARD, GROUP, Cluster
from abops.observability.catalogue.wording import percent

_MINUTE = timedelta(minutes=1)
_SERVED = {"env": "local", "service": "api"}


def capacity_alerts(where: Cluster) -> tuple[Alert, ...]:
    """Return the alerts about room to grow."""
    return (_memory_near_limit(where),)


def _memory_near_limit(where: Cluster) -> Alert:
    metric, limit, hold = "service:memory_limit:ratio", 0.9, 5 * _MINUTE
    return Alert(
        name="KubeMemoryNearLimit",
        group=GROUP,
        severity="warning",
        expr=f"{metric} > {{threshold}}",
        threshold=limit,
        unit="ratio",
        hold=hold,
        reason="A tenth is left to act in: at the limit the kernel kills the process, not a call.",
        summary=(
            "{{ $labels.service }} uses {{ $value | humanizePercentage }} of the memory it may have"
        ),
        impact="At the limit the process is killed in the middle of its work, and again after it.",
        labels=where.labels("saturation"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "The fullest instance of this service has been above nine tenths of its memory"
                " limit for five minutes: the container's limit, on one machine the stack's."
            ),
            diagnosis=(
                "Does it climb without end, or did it step up with a deploy or with load?\n\n"
                + ask('service:memory_bytes:max{service="SERVICE"}')
                + "\nWhich pod, and was one killed already?\n\n"
                + shell(
                    "kubectl top pod -n NAMESPACE --containers --sort-by=memory",
                    "kubectl describe pod POD -n NAMESPACE | grep -A5 'Last State'",
                    "abops stack status     # on one machine",
                )
                + "\nA saw tooth that ends in restarts is a leak. A step at a deploy is a bigger"
                " program. Growth with traffic is load."
            ),
            mitigation=(
                "A leak: restart one pod at a time, which buys hours, and roll the release back:"
                "\n\n"
                + shell(
                    "kubectl rollout restart deployment/DEPLOYMENT -n NAMESPACE",
                    "kubectl rollout undo deployment/DEPLOYMENT -n NAMESPACE",
                    "abops stack restart SERVICE     # on one machine",
                )
                + "\nA bigger program: raise the limit in the values of the chart, request and"
                " limit together. Load: add pods. Do not remove the limit: the machine's kernel"
                " would then choose whom to kill."
            ),
        ),
        cases=around(
            limit,
            lambda v: labelled(metric, steady(v), _SERVED),
            lambda v: Fired(_SERVED, f"api uses {percent(v)} of the memory it may have"),
            timing=Timing(hold),
        ),
    )
