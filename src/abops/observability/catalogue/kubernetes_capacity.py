"""Whether what runs has room: memory, CPU, replicas, quotas."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from abops.inventory.model import Inventory, Objective
from abops.kernel.quantities import format_duration
from abops.observability.catalogue.alert import Alert, Case, Fired, Runbook
from abops.observability.catalogue.cases import STEP, Timing, around, labelled, steady
from abops.observability.catalogue.commands import ask, shell
from abops.observability.catalogue.kubernetes_place import BOARD, GROUP, Cluster
from abops.observability.catalogue.wording import percent

_MINUTE: Final = timedelta(minutes=1)
_SERVED: Final = {"env": "local", "service": "api"}
_PLACE: Final = {"env": "local", "namespace": "analyticbot"}
_SCALED: Final = {**_PLACE, "horizontalpodautoscaler": "ab-api"}
_BY_HPA: Final = "env, namespace, horizontalpodautoscaler"
_CONDITION: Final = "kube_horizontalpodautoscaler_status_condition"


def capacity_alerts(inventory: Inventory, where: Cluster) -> tuple[Alert, ...]:
    """Return the alerts about room to grow."""
    return (
        _hpa_maxed_out(where),
        _hpa_unable(where),
        *(_throttled(objective, where) for objective in _promised_latency(inventory)),
        _memory_near_limit(where),
        _quota(where),
    )


def _promised_latency(inventory: Inventory) -> Iterator[Objective]:
    """Yield the promises about requests, whose 99th percentile is recorded."""
    serving = {service.name for service in inventory.services if service.kind == "fastapi"}
    for objective in inventory.slos:
        if objective.sli == "latency" and objective.threshold and objective.service in serving:
            yield objective


def _conditions(**statuses: str) -> dict[str, str]:
    """Return the conditions of an autoscaler that has these statuses."""
    return {
        name: values
        for condition, status in statuses.items()
        for known in ("true", "false", "unknown")
        for name, values in labelled(
            _CONDITION,
            f"{int(known == status)}x200",
            {**_SCALED, "condition": condition, "status": known},
        ).items()
    }


def _hpa_maxed_out(where: Cluster) -> Alert:
    hold = 15 * _MINUTE
    name = "kube_horizontalpodautoscaler_"
    wanted, most = f"{name}status_desired_replicas", f"{name}spec_max_replicas"
    share = f"max by ({_BY_HPA}) ({wanted}) / (max by ({_BY_HPA}) ({most}) > 0)"
    limited = f'max by ({_BY_HPA}) ({_CONDITION}{{condition="ScalingLimited",status="true"}})'
    return Alert(
        name="KubeHpaMaxedOut",
        group=GROUP,
        severity="warning",
        expr=(
            f"{where.of_workload(share, 'horizontalpodautoscaler')} >= {{threshold}}"
            f" and on ({_BY_HPA}) {limited} == 1"
        ),
        threshold=1,
        unit="of the replicas allowed",
        hold=hold,
        reason="It has all it may have and would take more (ScalingLimited): load has no room.",
        summary="{{ $labels.horizontalpodautoscaler }} would start more pods than it may",
        impact="With more load answers become slow, then fail.",
        labels=where.labels("saturation"),
        board=BOARD,
        runbook=Runbook(
            meaning="For 15 minutes the autoscaler has wanted more pods than `maxReplicas`.",
            diagnosis=shell(
                "kubectl describe hpa HPA -n NAMESPACE | sed -n '/^Metrics/,$p'",
                "kubectl top pod -n NAMESPACE --sort-by=cpu | head",
                "abops scaling recommend     # what the load of the last weeks asks for",
            )
            + "\nMore requests than ever, or more work for each since the last release? The board"
            " api shows rate and time by route. One metric far above its target with calm CPU: the"
            " metric is wrong, not the load.",
            mitigation=(
                "Real load: raise `maxReplicas` in the values and deploy; at once, until the next"
                " deploy:\n\n"
                + shell('kubectl patch hpa HPA -n NAMESPACE -p \'{"spec":{"maxReplicas":NUMBER}}\'')
                + "\nFirst see that the database has connections for them (PostgresConnections):"
                " each pod opens a pool. A release that needs more work: roll it back. Do not scale"
                " the deployment by hand beside the autoscaler."
            ),
        ),
        cases=_maxed_out_cases(wanted, most, hold),
    )


def _maxed_out_cases(wanted: str, most: str, hold: timedelta) -> tuple[Case, ...]:
    fired = Fired({**_SCALED, "service": "api"}, "ab-api would start more pods than it may")

    def history(replicas: float) -> dict[str, str]:
        limit = labelled(most, steady(10), _SCALED)
        return labelled(wanted, steady(replicas), _SCALED) | limit

    more = _conditions(ScalingLimited="true", AbleToScale="true")
    enough = _conditions(ScalingLimited="false", AbleToScale="true")
    return (
        Case("all it may have, and more wanted", history(10) | more, hold, (fired,)),
        Case("not before its hold", history(10) | more, hold - STEP),
        Case("all it may have, and enough", history(10) | enough, 2 * hold),
        Case("held back at nine of ten", history(9) | more, 2 * hold),
        Case("whether more is wanted is unknown", history(10), 2 * hold),
        Case("limit unknown", labelled(wanted, steady(10), _SCALED) | more, 2 * hold),
        Case("no data", {}, 2 * hold),
    )


def _hpa_unable(where: Cluster) -> Alert:
    hold = 10 * _MINUTE
    fired = Fired({**_SCALED, "service": "api"}, "ab-api cannot scale")
    unable = (
        f"max by ({_BY_HPA})"
        f' ({_CONDITION}{{condition=~"AbleToScale|ScalingActive",status="false"}})'
    )
    return Alert(
        name="KubeHpaUnable",
        group=GROUP,
        severity="warning",
        expr=f"{where.of_workload(unable, 'horizontalpodautoscaler')} == 1",
        threshold=None,
        unit="",
        hold=hold,
        reason="",
        summary="{{ $labels.horizontalpodautoscaler }} cannot scale",
        impact="The number of pods stays as it is: too few at the next peak, too many at night.",
        labels=where.labels("errors"),
        board=BOARD,
        runbook=Runbook(
            meaning="The autoscaler gets no metrics, or cannot change its workload.",
            diagnosis=shell(
                "kubectl describe hpa HPA -n NAMESPACE | sed -n '/^Conditions/,$p'",
                "kubectl get apiservices | grep metrics     # all must say True",
                "kubectl top pod -n NAMESPACE",
            )
            + "\n`FailedGetResourceMetric`: metrics-server is down, or a container has no CPU"
            " request. `FailedGetExternalMetric`: our external-metrics server. `FailedGetScale`:"
            " the workload is gone or renamed.",
            mitigation=(
                "A metrics server that is down:\n\n"
                + shell("kubectl rollout restart deployment/metrics-server -n kube-system")
                + "\nUntil it is back, scale by hand before the next peak: `kubectl scale"
                " deployment/DEPLOYMENT --replicas=NUMBER -n NAMESPACE`. Do not remove the"
                " autoscaler: while it is blind it keeps what there is."
            ),
        ),
        cases=(
            Case(
                "it has no metrics",
                _conditions(ScalingActive="false", AbleToScale="true"),
                hold,
                (fired,),
            ),
            Case(
                "it cannot change the workload",
                _conditions(ScalingActive="true", AbleToScale="false"),
                hold,
                (fired,),
            ),
            Case("not before its hold", _conditions(ScalingActive="false"), hold - STEP),
            Case(
                "healthy and not limited",
                _conditions(ScalingActive="true", AbleToScale="true", ScalingLimited="false"),
                2 * hold,
            ),
            Case("no data", {}, 2 * hold),
        ),
    )


def _throttled(promise: Objective, where: Cluster) -> Alert:
    limit, hold, service = 0.25, 10 * _MINUTE, promise.service
    held_back, slow = "service:cpu_throttled:ratio", "service:http_server_request_duration_seconds"
    edge = promise.threshold.total_seconds() if promise.threshold else 0.0
    own = {"env": "local", "service": service}

    def history(ratio: float, p99: float = 3 * edge, name: str = service) -> dict[str, str]:
        labels = {**own, "service": name}
        calm = labelled(held_back, steady(ratio), labels)
        return calm | labelled(f"{slow}:p99", steady(p99), labels)

    def fired(ratio: float) -> Fired:
        return Fired(own, f"{service} is slow and held back in {percent(ratio)} of its time")

    return Alert(
        name="KubeThrottledAndSlow",
        instance=service,
        group=GROUP,
        severity="warning",
        expr=(
            f'{held_back}{{service="{service}"}} > {{threshold}}'
            f" and on (env, service) {slow}:p99 > {edge:g}"
        ),
        threshold=limit,
        unit="of its scheduling periods",
        hold=hold,
        reason=(
            "Held back alone is how CPU limits work; it matters when people wait: the slowest"
            " hundredth takes longer than the"
            f" {format_duration(promise.threshold) if promise.threshold else ''} promised."
        ),
        summary=(
            "{{ $labels.service }} is slow and held back in {{ $value | humanizePercentage }} of"
            " its time"
        ),
        impact="People wait although the node may have idle cores.",
        labels=where.labels("saturation"),
        board=BOARD,
        runbook=_throttled_runbook(),
        cases=(
            *around(limit, history, fired, timing=Timing(hold)),
            Case("held back, but quick", history(0.9, 0.9 * edge), 2 * hold),
            Case("a little slow", history(0.9, 1.1 * edge), hold, (fired(0.9),)),
            Case("another service", history(0.9, name="bot"), 2 * hold),
            Case("speed unknown", labelled(held_back, steady(0.9), own), 2 * hold),
        ),
    )


def _throttled_runbook() -> Runbook:
    return Runbook(
        meaning=(
            "The kernel stops the containers of this service in more than a quarter of their"
            " 100 ms periods, because their CPU limit is used up, and its requests are slow."
        ),
        diagnosis=(
            ask('service:cpu_cores:rate5m{service="SERVICE"}')
            + "\nagainst what they may use:\n\n"
            + ask('service:cpu_limit_cores:sum{service="SERVICE"}')
            + "\nFar below the limit on average and held back all the same: short bursts (many"
            " threads at once). Near the limit: load, or a release that computes more."
        ),
        mitigation=(
            "Raise the CPU limit in the chart's values, or remove it and keep the request: the"
            " node's idle cores are then used. At once, without a deploy, add pods:\n\n"
            + shell("kubectl scale deployment/DEPLOYMENT --replicas=NUMBER -n NAMESPACE")
            + "\n(only where no autoscaler owns the number). A release that computes more: roll it"
            " back. Do not raise the number of worker threads: it makes the bursts worse."
        ),
    )


def _quota(where: Cluster) -> Alert:
    metric, limit, hold = "kube_resourcequota", 0.9, 15 * _MINUTE
    labels = {**_PLACE, "resourcequota": "compute", "resource": "requests.memory"}
    by = "env, namespace, resourcequota, resource"

    def history(used: float) -> dict[str, str]:
        hard = labelled(metric, steady(1e9), {**labels, "type": "hard"})
        return hard | labelled(metric, steady(used * 1e9), {**labels, "type": "used"})

    return Alert(
        name="KubeQuota",
        group=GROUP,
        severity="info",
        expr=(
            f'max by ({by}) ({metric}{{type="used"}} / ignoring (type)'
            f' ({metric}{{type="hard"}} > 0)) > {{threshold}}'
        ),
        threshold=limit,
        unit="of the quota",
        hold=hold,
        reason="A rollout needs room for new pods beside the old ones: about a tenth.",
        summary=(
            "{{ $labels.namespace }} uses {{ $value | humanizePercentage }} of its quota of"
            " {{ $labels.resource }}"
        ),
        impact="None yet; at 100 % no pod is created: no rollout, no scaling, no job.",
        labels=where.own_labels("saturation"),
        board=BOARD,
        runbook=Runbook(
            meaning="A namespace has nearly used up what it may ask for.",
            diagnosis=shell(
                "kubectl describe resourcequota -n NAMESPACE",
                "kubectl get pods -n NAMESPACE -o custom-columns=NAME:.metadata.name,"
                "CPU:.spec.containers[*].resources.requests.cpu,"
                "MEMORY:.spec.containers[*].resources.requests.memory",
                "abops cost rightsize     # who asks for more than it uses",
            ),
            mitigation=(
                "Remove what is not needed (finished jobs, old canaries), ask for less where"
                " `rightsize` shows slack, or raise the quota in `infrastructure/k8s/`. Do not"
                " delete the quota: it keeps one namespace from taking the others' nodes."
            ),
        ),
        cases=(
            *around(
                limit,
                history,
                lambda v: Fired(
                    labels, f"analyticbot uses {percent(v)} of its quota of requests.memory"
                ),
                timing=Timing(hold),
            ),
            Case(
                "no limit is set",
                labelled(metric, "0x200", {**labels, "type": "hard"})
                | labelled(metric, steady(5), {**labels, "type": "used"}),
                2 * hold,
            ),
        ),
    )


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
