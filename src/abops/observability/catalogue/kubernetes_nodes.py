"""Nodes, and what the cluster itself complains about."""

from datetime import timedelta
from typing import Final

from abops.observability.catalogue.alert import Alert, Case, Fired, Runbook
from abops.observability.catalogue.cases import STEP, labelled
from abops.observability.catalogue.commands import shell
from abops.observability.catalogue.histories import stepped
from abops.observability.catalogue.kubernetes_place import BOARD, GROUP, Cluster

_MINUTE: Final = timedelta(minutes=1)
_METRIC: Final = "kube_node_status_condition"
_NODE: Final = {"env": "local", "node": "node-1"}
_BAD: Final = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")


def node_state_alerts(where: Cluster) -> tuple[Alert, ...]:
    """Return the alerts about nodes and events."""
    return (_not_ready(where), _pressure(where), _warning_events(where))


def _conditions(**statuses: str) -> dict[str, str]:
    """Return the conditions of a node: healthy, but for these."""
    healthy = {"Ready": "true"} | dict.fromkeys(_BAD, "false")
    return {
        name: values
        for condition, status in (healthy | statuses).items()
        for known in ("true", "false", "unknown")
        for name, values in labelled(
            _METRIC,
            f"{int(known == status)}x100",
            {**_NODE, "condition": condition, "status": known},
        ).items()
    }


def _not_ready(where: Cluster) -> Alert:
    hold = 2 * _MINUTE
    fired = Fired(_NODE, "Node node-1 is not ready")
    return Alert(
        name="KubeNodeNotReady",
        group=GROUP,
        severity="critical",
        expr=f'max by (env, node) ({_METRIC}{{condition="Ready",status="true"}}) == 0',
        threshold=None,
        unit="",
        hold=hold,
        reason="",
        summary="Node {{ $labels.node }} is not ready",
        impact=(
            "Its pods are taken to be lost: they serve no more, and start elsewhere only after"
            " five minutes, if there is room."
        ),
        labels=where.own_labels("availability", 1),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "For two minutes the node's kubelet has said that it is not ready, or has said"
                " nothing at all (`Unknown`: machine off, network cut, kubelet dead)."
            ),
            diagnosis=(
                shell(
                    "kubectl describe node NODE | sed -n '/^Conditions/,/^Addresses/p'",
                    "kubectl get pods -A -o wide --field-selector spec.nodeName=NODE",
                    "ssh NODE 'systemctl status kubelet containerd; journalctl -u kubelet -n 50'",
                )
                + "\nNo answer by ssh: the machine or its network; ask the provider's console."
                " `PLEG is not healthy` or a full disk: the container runtime hangs."
                " Certificates that expired: the log says `x509`."
            ),
            mitigation=(
                "Kubelet or runtime dead, machine alive:\n\n"
                + shell("ssh NODE 'systemctl restart containerd kubelet'")
                + "\nMachine gone: let its pods go, and put another node in its place.\n\n"
                + shell("kubectl cordon NODE", "kubectl get pods -A -o wide | grep NODE")
                + "\nDo **not** delete pods of PostgreSQL or of the bot with `--force` while the"
                " machine may still run: two of them at once damage data, or Telegram answers 409."
                " Be sure that the machine is off first."
            ),
        ),
        cases=(
            Case("it says nothing", _conditions(Ready="unknown"), hold, (fired,)),
            Case("it says no", _conditions(Ready="false"), hold, (fired,)),
            Case("not before its hold", _conditions(Ready="false"), hold - STEP),
            Case("ready", _conditions(), 5 * hold),
            Case(
                "a node without a Ready condition",
                labelled(_METRIC, "0x100", {**_NODE, "condition": "Other", "status": "true"}),
                5 * hold,
            ),
            Case("no data", {}, 5 * hold),
        ),
    )


def _pressure(where: Cluster) -> Alert:
    hold = 5 * _MINUTE
    which = f'condition=~"{"|".join(_BAD)}",status="true"'

    def fired(condition: str) -> tuple[Fired, ...]:
        labels = {**_NODE, "condition": condition}
        return (Fired(labels, f"Node node-1 reports {condition}"),)

    return Alert(
        name="KubeNodePressure",
        group=GROUP,
        severity="warning",
        expr=f"max by (env, node, condition) ({_METRIC}{{{which}}}) == 1",
        threshold=None,
        unit="",
        hold=hold,
        reason="",
        summary="Node {{ $labels.node }} reports {{ $labels.condition }}",
        impact="The kubelet evicts pods from it and takes no new ones.",
        labels=where.own_labels("saturation"),
        board=BOARD,
        runbook=Runbook(
            meaning="A node has run short of memory, disk or process ids, or has no network.",
            diagnosis=(
                shell(
                    "kubectl describe node NODE | sed -n '/^Conditions/,/^Addresses/p;"
                    "/^Allocated/,$p'",
                    "kubectl get pods -A --field-selector status.phase=Failed | grep Evicted",
                    "kubectl top pod -A --sort-by=memory | head",
                )
                + "\nDisk: images and logs (`crictl images`, `du -xh /var/log /var/lib`), see"
                " HostDiskWillFill. Memory: a pod without a limit, or limits far above requests."
            ),
            mitigation=(
                "Disk:\n\n"
                + shell("ssh NODE 'crictl rmi --prune; journalctl --vacuum-size=500M'")
                + "\nMemory: move the largest pod without a limit away (`kubectl cordon NODE`,"
                " delete that pod, `kubectl uncordon NODE`), and give it a limit. Do not drain the"
                " node while others are full too: the pods have nowhere to go."
            ),
        ),
        cases=(
            *(
                Case(
                    f"{condition} is seen",
                    _conditions(**{condition: "true"}),
                    hold,
                    fired(condition),
                )
                for condition in _BAD
            ),
            Case("not before its hold", _conditions(DiskPressure="true"), hold - STEP),
            Case("healthy", _conditions(), 3 * hold),
            Case("no data", {}, 3 * hold),
        ),
    )


def _warning_events(where: Cluster) -> Alert:
    metric, limit, step = "kube_events_total", 20, timedelta(seconds=70)
    about = {"env": "local", "involved_object_namespace": "analyticbot", "reason": "Unhealthy"}

    def history(events: int, kind: str = "Warning") -> dict[str, str]:
        labels = {**about, "involved_object_kind": "Pod", "type": kind}
        return labelled(metric, stepped([(20, events)], 0), labels)

    fired = Fired(about, "The cluster warns again and again: Unhealthy in analyticbot")
    return Alert(
        name="KubeWarningEvents",
        group=GROUP,
        severity="info",
        expr=(
            "sum by (env, involved_object_namespace, reason)"
            f' (increase({metric}{{type="Warning"}}[15m])) > {{threshold}}'
        ),
        threshold=limit,
        unit="events in 15 minutes",
        reason="A rollout or a lost node makes a handful; more than one a minute is a state.",
        summary=(
            "The cluster warns again and again: {{ $labels.reason }} in"
            " {{ $labels.involved_object_namespace }}"
        ),
        impact="Maybe none; what hurts people has alerts of its own.",
        labels=where.own_labels("system"),
        board=BOARD,
        step=step,
        runbook=Runbook(
            meaning=(
                "The same kind of warning came more than twenty times in a quarter of an hour in"
                " one namespace."
            ),
            diagnosis=shell(
                "kubectl get events -n NAMESPACE --field-selector type=Warning,reason=REASON"
                " --sort-by=.lastTimestamp | tail -20",
            )
            + "\n`Unhealthy`: probes fail (KubePodNotReady). `BackOff`: KubePodCrashLooping,"
            " KubeContainerWaiting. `FailedScheduling`: no room. `FailedMount`: a secret or a"
            " volume. `Evicted`: KubeNodePressure.",
            mitigation=(
                "See the alert of the cause. Events without any cause that hurts: mend the setting"
                " that makes them (a probe that is too strict). Do not drop the metric."
            ),
        ),
        cases=(
            Case("a burst, eleven minutes ago", history(22), 30 * step, (fired,)),
            Case("a burst, twenty minutes ago", history(22), 36 * step),
            Case("a handful", history(18), 30 * step),
            Case("normal events", history(100, "Normal"), 30 * step),
            Case("no data", {}, 30 * step),
        ),
    )
