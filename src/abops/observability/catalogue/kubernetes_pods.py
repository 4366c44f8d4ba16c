"""Pods and their containers: those that crash, that never become ready, that are killed."""

from datetime import timedelta
from typing import Final

from abops.observability.catalogue.alert import Alert, Case, Fired, Runbook, Severity
from abops.observability.catalogue.cases import STEP, burst, labelled
from abops.observability.catalogue.commands import shell
from abops.observability.catalogue.histories import counted
from abops.observability.catalogue.kubernetes_place import BOARD, GROUP, Cluster, of_container

_MINUTE: Final = timedelta(minutes=1)
_API: Final = {
    "env": "local",
    "namespace": "analyticbot",
    "pod": "ab-api-6d5f-x2x9k",
    "container": "api",
}
_SIDECAR: Final = {**_API, "container": "proxy"}
_POD: Final = {name: _API[name] for name in ("env", "namespace", "pod")}
_BY: Final = "env, namespace, pod, container, service"
_RESTARTS: Final = "kube_pod_container_status_restarts_total"
_NO_CRASH: Final = '{reason!="CrashLoopBackOff"}'

_WHY: Final = shell(
    "kubectl describe pod POD -n NAMESPACE      # Last State, Reason, Events at the end",
    "kubectl logs POD -n NAMESPACE -c CONTAINER --previous --tail=50",
    "kubectl rollout history deployment/DEPLOYMENT -n NAMESPACE",
)
_BACK: Final = shell(
    "kubectl rollout undo deployment/DEPLOYMENT -n NAMESPACE",
    "kubectl rollout status deployment/DEPLOYMENT -n NAMESPACE --timeout=5m",
)


def pod_alerts(where: Cluster) -> tuple[Alert, ...]:
    """Return the alerts about pods."""
    first, others = f'container=~"{where.first_tier}"', f'container!~"{where.first_tier}"'
    return (
        _crash_looping(where, "critical", 1, first, _API),
        _crash_looping(where, "warning", 2, others, _SIDECAR),
        _not_ready(where),
        _oom_killed(where),
        _waiting(where),
    )


def _crash_looping(
    where: Cluster, severity: Severity, tier: int, which: str, own: dict[str, str]
) -> Alert:
    window, limit, step = "20m", 2.5, timedelta(seconds=70)
    return Alert(
        name="KubePodCrashLooping",
        instance=severity,
        group=GROUP,
        severity=severity,
        expr=(
            f"max by ({_BY}) ("
            + of_container(f"increase({_RESTARTS}{{{which}}}[{window}])")
            + ") > {threshold}"
        ),
        threshold=limit,
        unit="restarts in 20 minutes",
        reason=(
            "Three: at its longest pause of five minutes a container that crashes still restarts"
            " three times in 20 minutes. Containers of tier-1 services page, others warn."
        ),
        summary="{{ $labels.container }} in {{ $labels.pod }} crashes again and again",
        impact=(
            "This pod serves nobody. If it is the only one, or all do it, what"
            " {{ $labels.service }} serves is down."
        ),
        labels=where.labels("availability", tier),
        board=BOARD,
        step=step,
        runbook=Runbook(
            meaning=(
                "A container ended and was started again, three times or more within 20 minutes;"
                " the pauses grow up to five minutes (CrashLoopBackOff)."
            ),
            diagnosis=(
                _WHY + "\n`OOMKilled`: see KubeOOMKilled. `Liveness probe failed`: it hangs or is"
                " too slow, not dead. Exit code 1 within a second: a setting, a secret or a store"
                " is missing; the last lines of the log name it. Only pods of the newest revision"
                " do it: the release."
            ),
            mitigation=(
                "After a deploy, go back at once and look afterwards:\n\n"
                + _BACK
                + "\nNot after a deploy: mend what the log names (a store that is down, a secret"
                " that expired). Deleting the pod only resets its pause. Do not raise the limits"
                " of the probes to make it quiet."
            ),
        ),
        cases=_crash_looping_cases(own, step),
    )


def _crash_looping_cases(own: dict[str, str], step: timedelta) -> tuple[Case, ...]:
    """Return histories with a sample every 70 s: none lies on the edge of a range."""
    name, other = own["container"], _SIDECAR if own is _API else _API
    fired = Fired({**own, "service": name}, f"{name} in {own['pod']} crashes again and again")

    def restarts(labels: dict[str, str], *moments: int) -> dict[str, str]:
        return labelled(_RESTARTS, counted(*moments), labels)

    return (
        Case("three restarts in 20 minutes", restarts(own, 21, 27, 33), 33 * step, (fired,)),
        Case("three restarts in 40 minutes", restarts(own, 36, 50, 64), 64 * step),
        Case("another tier's container", restarts(other, 21, 27, 33), 33 * step),
        Case("over for 20 minutes", restarts(own, 21, 27, 33), 52 * step),
        Case("it never restarted", restarts(own, 80), 60 * step),
        Case("no data", {}, 33 * step),
    )


def _not_ready(where: Cluster) -> Alert:
    hold = 10 * _MINUTE
    by = "env, namespace, pod"
    ready = f'max by ({by}) (kube_pod_status_ready{{condition="true"}})'
    return Alert(
        name="KubePodNotReady",
        group=GROUP,
        severity="warning",
        expr=(
            f"{where.of_workload(ready, 'pod')} == 0 unless on ({by})"
            ' kube_pod_status_phase{phase=~"Succeeded|Failed"} == 1'
        ),
        threshold=None,
        unit="",
        hold=hold,
        reason="",
        summary="{{ $labels.pod }} is not ready",
        impact="The pod gets no traffic; the others carry its share.",
        labels=where.labels("availability"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "For ten minutes a pod that should serve has not passed its readiness check, or"
                " was not even placed on a node. Pods that have ended do not count."
            ),
            diagnosis=(
                shell(
                    "kubectl get pod POD -n NAMESPACE -o wide",
                    "kubectl describe pod POD -n NAMESPACE | sed -n '/^Conditions/,$p'",
                    "kubectl logs POD -n NAMESPACE --all-containers --tail=50",
                )
                + "\n`Pending` with `Insufficient cpu` or `memory`: no node has room"
                " (KubeQuota, KubeNodeNotReady). `Readiness probe failed: 503`: a dependency it"
                " cannot reach, or a database that is behind the code. `Pending` with `volume"
                " node affinity`: its volume is in another zone."
            ),
            mitigation=(
                "No room: add a node or free one. A store that is down: mend that; the pod follows"
                " within seconds. A release:\n\n"
                + _BACK
                + "\nDo not delete the pods that *are* ready to make room: they carry the load."
            ),
        ),
        cases=_not_ready_cases(hold),
    )


def _not_ready_cases(hold: timedelta) -> tuple[Case, ...]:
    fired = Fired({**_POD, "service": "api"}, "ab-api-6d5f-x2x9k is not ready")

    def history(ready: int, phase: str, pod: dict[str, str] = _POD) -> dict[str, str]:
        found: dict[str, str] = {}
        for condition, value in (("true", ready), ("false", 1 - ready)):
            labels = {**pod, "condition": condition}
            found |= labelled("kube_pod_status_ready", f"{value}x200", labels)
        for known in ("Pending", "Running", "Succeeded", "Failed"):
            value = int(known == phase)
            found |= labelled("kube_pod_status_phase", f"{value}x200", {**pod, "phase": known})
        return found

    def of(pod: str, service: str) -> Case:
        labels = {**_POD, "pod": pod}
        told = Fired({**labels, "service": service}, f"{pod} is not ready")
        return Case(f"{pod} is {service}'s", history(0, "Running", labels), hold, (told,))

    return (
        Case("pending", history(0, "Pending"), hold, (fired,)),
        Case("not before its hold", history(0, "Pending"), hold - STEP),
        Case("running, but not ready", history(0, "Running"), hold, (fired,)),
        Case("ready", history(1, "Running"), 2 * hold),
        Case("a job that has ended", history(0, "Succeeded"), 2 * hold),
        Case("a job that has failed", history(0, "Failed"), 2 * hold),
        of("ab-api-canary-6d5f-x2x9k", "api"),
        of("ab-postgres-0", "postgres"),
        of("coredns-5d78-abcde", "kubernetes"),
        Case(
            "its phase is unknown",
            labelled("kube_pod_status_ready", "0x200", {**_POD, "condition": "true"}),
            hold,
            (fired,),
        ),
        Case("no data", {}, 2 * hold),
    )


def _oom_killed(where: Cluster) -> Alert:
    reason = "kube_pod_container_status_last_terminated_reason"
    by = "env, namespace, pod, container"
    fired = Fired({**_API, "service": "api"}, "api in ab-api-6d5f-x2x9k was killed: out of memory")

    def ended(why: str, value: int = 1) -> dict[str, str]:
        return labelled(reason, f"{value}x300", {**_API, "reason": why})

    restarted = labelled(_RESTARTS, "0x20 1x200", _API)
    seen = 25 * STEP
    return Alert(
        name="KubeOOMKilled",
        group=GROUP,
        severity="warning",
        expr=(
            f"max by ({_BY}) ("
            + of_container(f"increase({_RESTARTS}[10m])")
            + f") > {{threshold}} and on ({by})"
            + f' max by ({by}) ({reason}{{reason="OOMKilled"}}) == 1'
        ),
        threshold=0,
        unit="kills in 10 minutes",
        reason="The kernel never kills a process that has the memory it needs.",
        summary="{{ $labels.container }} in {{ $labels.pod }} was killed: out of memory",
        impact="What it was doing is lost or done again; with its load, the next pod may follow.",
        labels=where.labels("saturation"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "A container restarted within the last ten minutes, and the kernel had killed it"
                " because it asked for more memory than its limit."
            ),
            diagnosis=(
                shell(
                    "kubectl describe pod POD -n NAMESPACE | grep -B2 -A6 'Last State'",
                    "kubectl top pod -n NAMESPACE --containers --sort-by=memory",
                    "kubectl get events -n NAMESPACE --field-selector reason=OOMKilling",
                )
                + "\nThe board infrastructure shows memory by service: a steady climb is a leak, a"
                " jump is one big request or task (look at the log just before the kill). Several"
                " pods of one node at once: the node itself ran out, see KubeNodePressure."
            ),
            mitigation=(
                "A leak that came with a release:\n\n"
                + _BACK
                + "\nA bigger load: raise request and limit together in the chart's values, by a"
                " fifth. Killed again after that: do not go on raising, find the leak. Do not"
                " remove the limit: the kernel would choose a neighbour instead."
            ),
        ),
        cases=(
            *burst(_RESTARTS, _API, 10 * _MINUTE, fired, ended("OOMKilled")),
            Case("it ended by itself", restarted | ended("Error") | ended("OOMKilled", 0), seen),
            Case("another reason alone", restarted | ended("Completed"), seen),
            Case("reason unknown", restarted, seen),
            Case("restarts unknown", ended("OOMKilled"), seen),
        ),
    )


def _waiting(where: Cluster) -> Alert:
    metric, hold = "kube_pod_container_status_waiting_reason", 10 * _MINUTE
    fired = Fired({**_API, "service": "api"}, "api in ab-api-6d5f-x2x9k cannot start")

    def waits(why: str, values: str = "1x200") -> dict[str, str]:
        return labelled(metric, values, {**_API, "reason": why})

    flips = waits("ErrImagePull", "1x9 0x9 1x100") | waits("ImagePullBackOff", "0x9 1x9 0x100")
    return Alert(
        name="KubeContainerWaiting",
        group=GROUP,
        severity="warning",
        expr=f"max by ({_BY}) ({of_container(metric + _NO_CRASH)}) == 1",
        threshold=None,
        unit="",
        hold=hold,
        reason="",
        summary="{{ $labels.container }} in {{ $labels.pod }} cannot start",
        impact="The new version does not come up; the old one serves as long as it is there.",
        labels=where.labels("availability"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "For ten minutes a container has waited to start, for another reason than a crash:"
                " its image, a secret, a volume."
            ),
            diagnosis=(
                shell(
                    "kubectl describe pod POD -n NAMESPACE | sed -n '/^Events/,$p'",
                    "kubectl get pod POD -n NAMESPACE -o"
                    ' jsonpath=\'{..waiting.reason}{"\\n"}{..waiting.message}{"\\n"}\'',
                )
                + "\n`ImagePullBackOff`: the digest does not exist, or the registry refuses us."
                " `CreateContainerConfigError`: a secret or config map is missing; the message"
                " names it. `ContainerCreating`: a volume that does not attach, or no network."
            ),
            mitigation=(
                "A wrong digest: roll back.\n\n" + _BACK + "\nA missing secret: create it, the"
                " kubelet tries again by itself within a minute. A registry that refuses: renew"
                " the pull secret of the namespace. Do not replace the digest by `latest`."
            ),
        ),
        cases=(
            Case("no such image", waits("ImagePullBackOff"), hold, (fired,)),
            Case("not before its hold", waits("ImagePullBackOff"), hold - STEP),
            Case("two names for one reason", flips, hold, (fired,)),
            Case("it crashes: another alert's business", waits("CrashLoopBackOff"), 2 * hold),
            Case("it waits no more", waits("ImagePullBackOff", "0x200"), 2 * hold),
            Case("no data", {}, 2 * hold),
        ),
    )
