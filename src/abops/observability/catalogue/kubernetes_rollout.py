"""Workloads against what was asked for: replicas, rollouts, jobs, schedules, budgets."""

from datetime import timedelta
from functools import partial
from typing import Final

from abops.observability.catalogue.alert import Alert, Case, Fired, Runbook
from abops.observability.catalogue.cases import STEP, Timing, around, labelled, steady
from abops.observability.catalogue.commands import shell
from abops.observability.catalogue.kubernetes_place import BOARD, GROUP, Cluster
from abops.observability.catalogue.wording import duration, percent

_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)
_PLACE: Final = {"env": "local", "namespace": "analyticbot"}
_DEPLOYMENT: Final = {**_PLACE, "deployment": "ab-api"}
_BACK: Final = shell(
    "kubectl rollout undo deployment/DEPLOYMENT -n NAMESPACE",
    "kubectl rollout status deployment/DEPLOYMENT -n NAMESPACE --timeout=5m",
)


def rollout_alerts(where: Cluster) -> tuple[Alert, ...]:
    """Return the alerts about workloads that are not as they should be."""
    return (
        _replicas_missing(where),
        _rollout_stuck(where),
        _job_failed(where),
        _cron_job_late(where),
        _budget_violated(where),
    )


def _share_of_ten(there: str, wanted: str, labels: dict[str, str], ratio: float) -> dict[str, str]:
    return labelled(there, steady(10 * ratio), labels) | labelled(wanted, steady(10), labels)


def _replicas_missing(where: Cluster) -> Alert:
    hold, by = 15 * _MINUTE, "env, namespace, deployment"
    wanted, there = "kube_deployment_spec_replicas", "kube_deployment_status_replicas_available"
    share = f"max by ({by}) ({there}) / (max by ({by}) ({wanted}) > 0)"

    history = partial(_share_of_ten, there, wanted, _DEPLOYMENT)
    return Alert(
        name="KubeReplicasMissing",
        group=GROUP,
        severity="warning",
        expr=f"{where.of_workload(share, 'deployment')} < {{threshold}}",
        threshold=1,
        unit="of the replicas asked for",
        hold=hold,
        reason="A rollout takes minutes, not a quarter of an hour: something keeps them away.",
        summary=(
            "{{ $labels.deployment }} has only {{ $value | humanizePercentage }} of its replicas"
        ),
        impact="The others carry the load; the loss of one more pod or node is an outage sooner.",
        labels=where.labels("availability"),
        board=BOARD,
        runbook=Runbook(
            meaning="A deployment has had fewer available pods than asked for, for 15 minutes.",
            diagnosis=(
                shell(
                    "kubectl get deployment DEPLOYMENT -n NAMESPACE -o wide",
                    "kubectl get pods -n NAMESPACE -o wide | grep DEPLOYMENT",
                    "kubectl describe replicaset -n NAMESPACE | grep -A3 FailedCreate",
                )
                + "\nPods that are there but not ready: KubePodNotReady. No pods at all:"
                " `FailedCreate` names the quota or the admission rule that refuses them."
            ),
            mitigation=(
                "Nodes are full or gone: add one. A quota: KubeQuota. The newest release alone"
                " does not become ready:\n\n"
                + _BACK
                + "\nDo not scale the deployment down to what there is: an autoscaler would take"
                " that for calm, and the next peak finds too few."
            ),
        ),
        cases=(
            *around(
                1,
                history,
                lambda v: Fired(
                    {**_DEPLOYMENT, "service": "api"},
                    f"ab-api has only {percent(v)} of its replicas",
                ),
                below=True,
                timing=Timing(hold),
            ),
            Case("all are there", history(1), 2 * hold),
            Case(
                "none was asked for",
                labelled(wanted, "0x200", _DEPLOYMENT) | labelled(there, "0x200", _DEPLOYMENT),
                2 * hold,
            ),
            Case("asked for: unknown", labelled(there, "0x200", _DEPLOYMENT), 2 * hold),
        ),
    )


def _rollout_stuck(where: Cluster) -> Alert:
    metric, hold = "kube_deployment_status_condition", 2 * _MINUTE
    by = "env, namespace, deployment"
    failing = f'max by ({by}) ({metric}{{condition="Progressing",status="false"}})'

    def history(condition: str, status: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for known in ("Available", "Progressing"):
            is_status = status if known == condition else "true"
            for value in ("true", "false", "unknown"):
                labels = {**_DEPLOYMENT, "condition": known, "status": value}
                found |= labelled(metric, f"{int(value == is_status)}x200", labels)
        return found

    stuck = Fired({**_DEPLOYMENT, "service": "api"}, "The rollout of ab-api does not get on")
    return Alert(
        name="KubeRolloutStuck",
        group=GROUP,
        severity="warning",
        expr=f"{where.of_workload(failing, 'deployment')} == 1",
        threshold=None,
        unit="",
        hold=hold,
        reason="",
        summary="The rollout of {{ $labels.deployment }} does not get on",
        impact="Old and new pods serve side by side; the new version is not out.",
        labels=where.labels("delivery"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "Kubernetes has given up waiting: for the time of `progressDeadlineSeconds` no new"
                " pod became available."
            ),
            diagnosis=(
                shell(
                    "kubectl rollout status deployment/DEPLOYMENT -n NAMESPACE --timeout=1s",
                    "kubectl get pods -n NAMESPACE --sort-by=.metadata.creationTimestamp | tail",
                    "helm history RELEASE -n NAMESPACE | tail -3",
                )
                + "\nThe newest pods say why: KubeContainerWaiting (image, secret),"
                " KubePodCrashLooping, KubePodNotReady (a check that never passes). `pending-*` in"
                " the history of helm: a deploy was killed half way."
            ),
            mitigation=(
                "Nobody works on it at this moment? Then go back; a deploy by `abops delivery`"
                " does so itself:\n\n"
                + shell("abops delivery rollback --env ENV", "abops delivery unstick --env ENV")
                + "\nwithout it:\n\n"
                + _BACK
                + "\nDo not delete the old pods to make it go on: they are what still serves."
            ),
        ),
        cases=(
            Case("no progress", history("Progressing", "false"), hold, (stuck,)),
            Case("not before its hold", history("Progressing", "false"), hold - STEP),
            Case("not available is another matter", history("Available", "false"), 5 * hold),
            Case("it gets on", history("Progressing", "true"), 5 * hold),
            Case("no data", {}, 5 * hold),
        ),
    )


def _job_failed(where: Cluster) -> Alert:
    by, news = "env, namespace, job_name", 12 * _HOUR
    job = {**_PLACE, "job_name": "ab-api-migrate-1a2b"}
    fired = Fired({**job, "service": "api"}, "Job ab-api-migrate-1a2b has failed")
    failed = f'max by ({by}) (kube_job_failed{{condition="true"}})'

    def history(outcome: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for condition in ("true", "false", "unknown"):
            labels = {**job, "condition": condition}
            found |= labelled("kube_job_failed", f"{int(condition == outcome)}x60", labels)
        return found

    began = labelled("kube_job_status_start_time", "0x60", job)
    return Alert(
        name="KubeJobFailed",
        group=GROUP,
        severity="warning",
        expr=(
            f"{where.of_workload(failed, 'job_name')} == 1 and on ({by})"
            f" time() - max by ({by}) (kube_job_status_start_time) < {{threshold}}"
        ),
        threshold=news.total_seconds(),
        unit="s (12 h) since its start",
        reason=(
            "Failed jobs stay listed until the next ones push them out: after half a day it is no"
            " news, and KubeCronJobLate watches what must happen again."
        ),
        summary="Job {{ $labels.job_name }} has failed",
        impact="What it should have done is not done: a migration, a backup, a clean-up.",
        labels=where.labels("errors"),
        board=BOARD,
        step=_HOUR,
        runbook=Runbook(
            meaning="A job used up its attempts or its time, within the last twelve hours.",
            diagnosis=shell(
                "kubectl describe job JOB -n NAMESPACE | tail -15",
                "kubectl logs job/JOB -n NAMESPACE --all-containers --tail=50",
            )
            + "\n`DeadlineExceeded`: it was too slow or hung. `BackoffLimitExceeded`: the log says"
            " why. A name with `migrate`: the deploy stopped before it changed any pod.",
            mitigation=(
                "A job of a schedule runs again by itself, or now:\n\n"
                + shell("kubectl create job --from=cronjob/CRONJOB CRONJOB-again -n NAMESPACE")
                + "\nA migration: mend the revision and deploy again; do not run it by hand with"
                " another image, and do not mark it as done (`alembic stamp`) to get past it. A"
                " backup: `abops backup run` (see BackupFailed)."
            ),
        ),
        cases=(
            Case("failed eleven hours ago", history("true") | began, 11 * _HOUR, (fired,)),
            Case("failed thirteen hours ago", history("true") | began, 13 * _HOUR),
            Case("succeeded", history("false") | began, 11 * _HOUR),
            Case("begin unknown", history("true"), 11 * _HOUR),
            Case("begun, not ended", began, 11 * _HOUR),
            Case("no data", {}, 11 * _HOUR),
        ),
    )


def _cron_job_late(where: Cluster) -> Alert:
    metric, limit, by = "kube_cronjob_next_schedule_time", 600, "env, namespace, cronjob"
    labels = {**_PLACE, "cronjob": "ab-backup-tick"}
    late = where.of_workload(f"time() - max by ({by}) ({metric})", "cronjob")

    def planned(value: float) -> dict[str, str]:
        # Planned `value` seconds ago, at every moment.
        return labelled(metric, f"{-value:g}+{STEP.total_seconds():g}x200", labels)

    return Alert(
        name="KubeCronJobLate",
        group=GROUP,
        severity="warning",
        expr=f"{late} > {{threshold}}",
        threshold=limit,
        unit="s",
        reason="The controller starts jobs within seconds; ten minutes late means it will not.",
        summary="{{ $labels.cronjob }} should have run {{ $value | humanizeDuration }} ago",
        impact="What it does regularly is not done: backups, checks, clean-ups.",
        labels=where.labels("work"),
        board=BOARD,
        runbook=Runbook(
            meaning="The next run of a schedule lies in the past. Suspended ones do not count.",
            diagnosis=shell(
                "kubectl describe cronjob CRONJOB -n NAMESPACE | tail -15",
                "kubectl get jobs -n NAMESPACE --sort-by=.metadata.creationTimestamp | tail",
            )
            + "\nAn active job that does not end, with `concurrencyPolicy: Forbid`: every later"
            " run waits for it. `TooManyMissedTimes` or `startingDeadlineSeconds` in the events:"
            " it was missed for good. No events at all: the controller does not work; other"
            " schedules are late too.",
            mitigation=(
                "Look what the hanging job does before you end it (a backup may just be slow)."
                " Then:\n\n"
                + shell(
                    "kubectl delete job JOB -n NAMESPACE",
                    "kubectl create job --from=cronjob/CRONJOB CRONJOB-again -n NAMESPACE",
                )
                + "\nDo not set `concurrencyPolicy: Allow`: two backups at once fail both."
            ),
        ),
        cases=around(
            limit,
            planned,
            lambda v: Fired(
                {**labels, "service": "kubernetes"},
                f"ab-backup-tick should have run {duration(v)} ago",
            ),
        ),
    )


def _budget_violated(where: Cluster) -> Alert:
    hold, by = 10 * _MINUTE, "env, namespace, poddisruptionbudget"
    there = "kube_poddisruptionbudget_status_current_healthy"
    wanted = "kube_poddisruptionbudget_status_desired_healthy"
    labels = {**_PLACE, "poddisruptionbudget": "ab-api"}
    share = f"max by ({by}) ({there}) / (max by ({by}) ({wanted}) > 0)"

    history = partial(_share_of_ten, there, wanted, labels)
    return Alert(
        name="KubePdbViolated",
        group=GROUP,
        severity="warning",
        expr=f"{where.of_workload(share, 'poddisruptionbudget')} < {{threshold}}",
        threshold=1,
        unit="of the healthy pods that must stay",
        hold=hold,
        reason="The budget says how few are safe; below it nobody may take another one away.",
        summary=(
            "{{ $labels.poddisruptionbudget }} has {{ $value | humanizePercentage }} of the"
            " healthy pods it must keep"
        ),
        impact="Fewer pods serve than is safe; nodes cannot be drained until they are back.",
        labels=where.labels("availability"),
        board=BOARD,
        runbook=Runbook(
            meaning="Fewer healthy pods than the disruption budget demands, for ten minutes.",
            diagnosis=shell(
                "kubectl get pdb -n NAMESPACE",
                "kubectl get pods -n NAMESPACE -o wide | grep -v Running",
                "kubectl get nodes        # cordoned, or not ready?",
            )
            + "\nA node went away, or pods crash (KubePodCrashLooping). A budget that asks for as"
            " many pods as there are replicas is violated by every restart: a mistake in the"
            " values.",
            mitigation=(
                "Bring the pods back: see the alert of the pods themselves; with too little room,"
                " add a node. Stop drains that are under way (`kubectl uncordon NODE`). Do not"
                " delete the budget to get a drain through: it guards what is left."
            ),
        ),
        cases=(
            *around(
                1,
                history,
                lambda v: Fired(
                    {**labels, "service": "api"},
                    f"ab-api has {percent(v)} of the healthy pods it must keep",
                ),
                below=True,
                timing=Timing(hold),
            ),
            Case("just enough", history(1), 2 * hold),
            Case(
                "none is demanded",
                labelled(there, "0x200", labels) | labelled(wanted, "0x200", labels),
                2 * hold,
            ),
            Case("demand unknown", labelled(there, "0x200", labels), 2 * hold),
        ),
    )
