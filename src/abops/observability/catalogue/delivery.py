"""Alerts about releases: deploys that fail, what differs from Git, images, secrets that expire.

The names of the series are those that delivery publishes from its record.
"""

from datetime import timedelta
from typing import Final

from abops.inventory.model import Inventory
from abops.observability.catalogue.alert import Alert, Case, Fired, Runbook
from abops.observability.catalogue.cases import STEP, Timing, around, labelled, steady
from abops.observability.catalogue.commands import shell
from abops.observability.catalogue.histories import once, since, stepped
from abops.observability.catalogue.kubernetes_place import cluster
from abops.observability.catalogue.place import Place
from abops.observability.catalogue.wording import amount, duration

GROUP: Final = "delivery"
BOARD: Final = "delivery"
_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)
_STEP: Final = 7 * _MINUTE
"""An hour is no whole number of these."""
_DEPLOYS: Final = "abops_deploys_total"
_RELEASE: Final = {"env": "production", "release": "ab"}


def delivery_alerts(inventory: Inventory) -> tuple[Alert, ...]:
    """Return the alerts about releases; none where nobody runs a cluster."""
    runs = cluster(inventory)
    if runs is None:
        return ()
    where = Place("delivery", 2, runs.team)
    return (
        _deploy_failed(where),
        _rollback_failed(where),
        _rolled_back(where),
        _drift(where),
        _image_critical(where),
        _secret_expires(where),
    )


def _ended(how: str) -> str:
    return f'sum by (env, release) (increase({_DEPLOYS}{{result="{how}"}}[1h])) > {{threshold}}'


def _ended_cases(how: str, fired: Fired) -> tuple[Case, ...]:
    good = labelled(_DEPLOYS, stepped([(21, 1)], 0), {**_RELEASE, "result": "deployed"})
    return (
        *once(_DEPLOYS, {**_RELEASE, "result": how}, _HOUR, _STEP, fired),
        Case("a deploy that went well", good, 24 * _STEP),
    )


_SEE: Final = shell(
    "abops delivery status --env ENV        # live versions, the last records, each phase",
    "helm history RELEASE -n NAMESPACE | tail -5",
    "kubectl get events -n NAMESPACE --sort-by=.lastTimestamp | tail -20",
)


_FAILED: Final = Runbook(
    meaning=(
        "A deploy ended in an error: it was stopped before its pods changed (migration,"
        " checks), or was killed on the way. As a page: its roll-back failed too, so the"
        " versions that run are mixed."
    ),
    diagnosis=_SEE + "\nThe record names the phase. `migrate`: the revision and what blocked it"
    " (PostgresBlockedQueries). `upgrade`: the pods (KubeRolloutStuck). `pending-upgrade`"
    " in the history: the deploy was killed.",
    mitigation=(
        "Bring the release back to a known state, then look for the cause in daylight:\n\n"
        + shell(
            "abops delivery unstick --env ENV      # only if the history says pending-*",
            "abops delivery rollback --env ENV",
            "abops delivery smoke --env ENV",
        )
        + "\nThe page says that this way back has failed once: look which revision was the"
        " last that worked, go there by hand, and stay until every pod is ready.\n\n"
        + shell(
            "helm history RELEASE -n NAMESPACE",
            "helm rollback RELEASE REVISION -n NAMESPACE --wait --timeout 10m",
            "kubectl get pods -n NAMESPACE -w",
        )
        + "\nA contracting migration has run already: `rollback` refuses and prints the way"
        " forward; follow it. Do not run `helm uninstall`, and do not run migrations"
        " backwards by hand: the old version may find its data gone."
    ),
)


def _deploy_failed(where: Place) -> Alert:
    return Alert(
        name="DeployFailed",
        instance="warning",
        group=GROUP,
        severity="warning",
        expr=_ended("failed"),
        threshold=0,
        unit="deploys in an hour",
        reason="A deploy that is worse rolls back by itself; one that fails stopped half way.",
        summary="A deploy of {{ $labels.release }} to {{ $labels.env }} failed",
        impact="The new version is not out. The old one serves, as long as nothing else happens.",
        labels=where.own_labels("deploy", "delivery"),
        board=BOARD,
        step=_STEP,
        runbook=_FAILED,
        cases=_ended_cases("failed", Fired(_RELEASE, "A deploy of ab to production failed")),
    )


def _rollback_failed(where: Place) -> Alert:
    return Alert(
        name="DeployFailed",
        instance="critical",
        group=GROUP,
        severity="critical",
        expr=_ended("rollback_failed"),
        threshold=0,
        unit="deploys in an hour",
        reason="Nothing mends this by itself: the automatic way back has just failed.",
        summary="The way back from a deploy of {{ $labels.release }} to {{ $labels.env }} failed",
        impact="Old and new pods are mixed, or too few serve: requests fail now, or soon.",
        labels=where.own_labels("deploy", "delivery"),
        board=BOARD,
        step=_STEP,
        runbook=_FAILED,
        cases=_ended_cases(
            "rollback_failed",
            Fired(_RELEASE, "The way back from a deploy of ab to production failed"),
        ),
    )


def _rolled_back(where: Place) -> Alert:
    return Alert(
        name="DeployRolledBack",
        group=GROUP,
        severity="info",
        expr=_ended("rolled_back"),
        threshold=0,
        unit="deploys in an hour",
        reason="Each one is a version that people wait for and that was worse.",
        summary="A deploy of {{ $labels.release }} to {{ $labels.env }} was rolled back",
        impact="The version before it serves; a share of requests met the worse one for minutes.",
        labels=where.own_labels("deploy", "delivery"),
        board=BOARD,
        step=_STEP,
        runbook=Runbook(
            meaning="The canary or the smoke test judged the new version worse than the old one.",
            diagnosis=shell(
                "abops delivery status --env ENV     # the verdict, with its numbers",
                "abops observability logs search --service SERVICE --level error --since 2h -n 20",
            ),
            mitigation=(
                "Nothing is to be repaired tonight: see that the old version is well (`abops"
                " delivery smoke --env ENV`). The authors look at the verdict and send a better"
                " version. Do not deploy the same digest again to see whether it passes now."
            ),
        ),
        cases=_ended_cases(
            "rolled_back", Fired(_RELEASE, "A deploy of ab to production was rolled back")
        ),
    )


def _drift(where: Place) -> Alert:
    metric, hold = "abops_drift_objects", 15 * _MINUTE

    def fired(count: float) -> tuple[Fired, ...]:
        return (Fired(_RELEASE, f"{amount(count)} objects of ab in production differ from Git"),)

    def history(count: int) -> dict[str, str]:
        return labelled(metric, steady(count, 150), {**_RELEASE, "kind": "Deployment"})

    return Alert(
        name="DriftDetected",
        group=GROUP,
        severity="warning",
        expr=f"sum by (env, release) ({metric}) > {{threshold}}",
        threshold=0,
        unit="objects",
        hold=hold,
        reason="A deploy changes things for some minutes; what stays different was done by hand.",
        summary=(
            "{{ $value | humanize }} objects of {{ $labels.release }} in {{ $labels.env }} differ"
            " from Git"
        ),
        impact="None yet; the next deploy undoes it without a word, also if it was a repair.",
        labels=where.own_labels("gitops", "delivery"),
        board=BOARD,
        runbook=Runbook(
            meaning="For 15 minutes the cluster has not been what Git says.",
            diagnosis=shell(
                "abops delivery status --env ENV            # which objects, which fields",
                "kubectl get OBJECT -n NAMESPACE -o yaml --show-managed-fields | grep manager:",
                "argocd app diff APP      # or: flux diff kustomization NAME --path PATH",
            )
            + "\n`manager` says who did it: `kubectl-edit` and `kubectl-patch` are people, a"
            " controller is a field that Git should leave alone (`ignoreDifferences`).",
            mitigation=(
                "Ask who did it before you undo it: it may be what keeps the service up right now."
                " Wanted: put it into Git and deploy. Not wanted: `abops delivery deploy --env ENV"
                " --digest LIVE` brings Git's state back. Do not switch self-healing on in"
                " production to be rid of it."
            ),
        ),
        cases=(
            Case("one differs", history(1), hold, fired(1)),
            Case("not before its hold", history(1), hold - STEP),
            Case("all as in Git", history(0), 2 * hold),
            Case("no data", {}, 2 * hold),
        ),
    )


def _image_critical(where: Place) -> Alert:
    metric = "abops_deploys_image_vulnerabilities"
    served = {"env": "production", "service": "api"}

    def history(count: int, severity: str = "critical", fixable: str = "true") -> dict[str, str]:
        labels = {**served, "severity": severity, "fixable": fixable}
        return labelled(metric, steady(count, 40), labels)

    return Alert(
        name="ImageCritical",
        group=GROUP,
        severity="warning",
        expr=(
            f'sum by (env, service) ({metric}{{severity="critical",fixable="true"}})'
            " > {threshold}"
        ),
        threshold=0,
        unit="critical vulnerabilities with a fix",
        reason="There is a fix, and attackers read the same lists.",
        summary=(
            "The image of {{ $labels.service }} in {{ $labels.env }} has"
            " {{ $value | humanize }} critical holes with a fix"
        ),
        impact="Maybe none; if it can be reached from outside, everything the service may do.",
        labels=where.labels("image", "security"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "A library or package in the image that runs has a critical vulnerability for"
                " which a corrected version exists."
            ),
            diagnosis=shell(
                "abops delivery status --env ENV                # the digest that runs",
                "cosign download attestation IMAGE@DIGEST       # its list of parts",
                "trivy image --severity CRITICAL --ignore-unfixed IMAGE@DIGEST",
            )
            + "\nIs the part used on a path that a request from outside reaches?",
            mitigation=(
                "Build anew with the corrected version and deploy it the usual way; the base image"
                " or one line of the lock file is mostly all. Reachable and used in the wild: close"
                " the route at the ingress until then, and tell the owner. Do not add it to the"
                " list of exceptions without a date."
            ),
        ),
        cases=(
            Case(
                "two with a fix",
                history(2),
                4 * STEP,
                (Fired(served, "The image of api in production has 2 critical holes with a fix"),),
            ),
            Case("none", history(0), 4 * STEP),
            Case("no fix yet", history(3, fixable="false"), 4 * STEP),
            Case("not critical", history(3, severity="high"), 4 * STEP),
            Case("no data", {}, 4 * STEP),
        ),
    )


def _secret_expires(where: Place) -> Alert:
    metric, limit = "abops_deploys_secret_expiry_timestamp_seconds", timedelta(days=14)
    labels = {"env": "production", "secret_namespace": "analyticbot", "secret": "registry-pull"}
    return Alert(
        name="SecretExpires",
        group=GROUP,
        severity="warning",
        expr=f"min by (env, secret_namespace, secret) ({metric}) - time() < {{threshold}}",
        threshold=limit.total_seconds(),
        unit="s (14 d) left",
        reason="Two weeks: a new one needs somebody else, and that somebody may be on holiday.",
        summary="{{ $labels.secret }} expires in {{ $value | humanizeDuration }}",
        impact="None yet; then pulls, backups or calls that use it are refused, all at once.",
        labels=where.own_labels("secrets", "security"),
        board=BOARD,
        runbook=Runbook(
            meaning="A token, key or client certificate in a secret expires within two weeks.",
            diagnosis=shell(
                "kubectl describe secret SECRET -n NAMESPACE     # names and ages, no values",
                "kubectl get pods -n NAMESPACE -o json | grep -B5 SECRET     # who uses it",
            ),
            mitigation=(
                "Get a new one from where it came, put it where External Secrets reads it, and see"
                " it arrive:\n\n"
                + shell(
                    "kubectl annotate externalsecret NAME -n NAMESPACE force-sync=$(date +%s)"
                    " --overwrite",
                    "kubectl rollout restart deployment/DEPLOYMENT -n NAMESPACE",
                )
                + "\nRevoke the old one only when nobody uses it any more. Do not print the value"
                " to look at it, and never put it on a command line."
            ),
        ),
        cases=around(
            limit.total_seconds(),
            lambda v: labelled(metric, since(-v, STEP), labels),
            lambda v: Fired(labels, f"registry-pull expires in {duration(v)}"),
            below=True,
            timing=Timing(),
        ),
    )
