"""Board `ab-delivery`: what was deployed, how it went, and what differs from Git."""

from functools import partial
from typing import Final

from abops.observability.boards.model import (
    FULL,
    Board,
    Limit,
    Panel,
    Query,
    Row,
    chart,
    stat,
)

E: Final = 'env=~"$env"'
_NONE: Final = "no data: abops delivery deploy makes the first one"
_NO_STATUS: Final = "no data: abops delivery status compares with Git"
_CLUSTER: Final = "no data: this environment has no Kubernetes"
_DEPLOYS: Final = "abops_deploys_total"
_COUNTED: Final = f'{_DEPLOYS}{{{E},result!~"noop|refused"}}'
_DAY: Final = 86_400
_figure: Final = partial(stat, no_value=_NONE)


def delivery_board() -> Board:
    """Return the board."""
    return Board(
        uid="ab-delivery",
        title="Delivery",
        description="Deploys and their outcome, rollouts, drift, images and secrets.",
        tags=("delivery",),
        span="7d",
        rows=(
            Row("Now", _now()),
            Row("Deploys", _deploys()),
            Row("Rollouts", _rollouts()),
            Row("Images and secrets", _supply(), collapsed=True),
        ),
    )


def _now() -> tuple[Panel, ...]:
    return (
        _figure(
            "Deploys that succeeded, 30 d",
            "percentunit",
            f'sum(increase({_DEPLOYS}{{{E},result="deployed"}}[30d]))'
            f" / (sum(increase({_COUNTED}[30d])) > 0)",
            "Of all that were not refused and changed something. Promised: 95 %.",
        ),
        _figure(
            "Deploys of a week",
            "short",
            f"sum(increase({_COUNTED}[7d]))",
            "Deploys of the last seven days that changed something.",
        ),
        _figure(
            "Since the last deploy",
            "s",
            f"time() - max(abops_deploys_last_timestamp_seconds{{{E}}})",
            "Time since the newest version went out. Whatever broke since is something else.",
        ),
        _figure(
            "Rolled back, 30 d",
            "short",
            f'sum(increase({_DEPLOYS}{{{E},result="rolled_back"}}[30d]))',
            "Versions that were judged worse and taken back by themselves.",
            Limit(1, "yellow"),
        ),
        _figure(
            "Differs from Git",
            "short",
            f"sum(abops_drift_objects{{{E}}})",
            "Objects that are not what Git says: the next deploy undoes them.",
            Limit(1, "yellow"),
            no_value=_NO_STATUS,
        ),
        _figure(
            "Critical holes with a fix",
            "short",
            f'sum(abops_deploys_image_vulnerabilities{{{E},severity="critical",fixable="true"}})',
            "In the images that run now.",
            Limit(1),
            no_value="no data: the release workflow scans images",
        ),
    )


def _deploys() -> tuple[Panel, ...]:
    return (
        chart(
            "Deploys of a day",
            "short",
            "Deploys of the day before each moment, by result.",
            Query(f"sum by (result) (increase({_DEPLOYS}{{{E}}}[1d]))", "{{result}}"),
            stacked=True,
            no_value=_NONE,
            width=12,
        ),
        chart(
            "Time of a deploy, by phase",
            "s",
            "Of the last deploy: checks, migration, canary, upgrade, smoke test.",
            Query(f"max by (phase) (abops_deploys_phase_seconds{{{E}}})", "{{phase}}"),
            stacked=True,
            no_value=_NONE,
            width=12,
        ),
        Panel(
            title="Live versions",
            description="When each version that runs went out, newest first.",
            unit="s",
            kind="table",
            width=FULL,
            queries=(
                Query(
                    "sort(time() - max by (env, service, version)"
                    f" (abops_deploys_last_timestamp_seconds{{{E}}}))"
                ),
            ),
            columns=("since",),
            no_value=_NONE,
        ),
    )


def _rollouts() -> tuple[Panel, ...]:
    by = "namespace, deployment"
    return (
        chart(
            "Pods of the new version",
            "percentunit",
            "Share of the replicas asked for that run the newest version. Below 100 % a rollout"
            " is under way, or stuck.",
            Query(
                f"max by ({by}) (kube_deployment_status_replicas_updated{{{E}}})"
                f" / (max by ({by}) (kube_deployment_spec_replicas{{{E}}}) > 0)",
                "{{deployment}}",
            ),
            no_value=_CLUSTER,
        ),
        chart(
            "Available pods",
            "percentunit",
            "Share of the replicas asked for that serve.",
            Query(
                f"max by ({by}) (kube_deployment_status_replicas_available{{{E}}})"
                f" / (max by ({by}) (kube_deployment_spec_replicas{{{E}}}) > 0)",
                "{{deployment}}",
            ),
            no_value=_CLUSTER,
        ),
        chart(
            "Objects that differ from Git",
            "short",
            "By kind. During a deploy some do for minutes.",
            Query(f"sum by (release, kind) (abops_drift_objects{{{E}}})", "{{release}} {{kind}}"),
            limits=(Limit(1, "yellow"),),
            no_value=_NO_STATUS,
        ),
    )


def _supply() -> tuple[Panel, ...]:
    return (
        chart(
            "Holes with a fix",
            "short",
            "Vulnerabilities in the images that run for which there is a corrected version.",
            Query(
                "sum by (service, severity) (abops_deploys_image_vulnerabilities"
                f'{{{E},fixable="true",severity=~"critical|high"}})',
                "{{service}} {{severity}}",
            ),
            no_value="no data: the release workflow scans images",
            width=12,
        ),
        chart(
            "Time left of secrets",
            "s",
            "The ten that expire first.",
            Query(
                "bottomk(10, min by (secret_namespace, secret)"
                f" (abops_deploys_secret_expiry_timestamp_seconds{{{E}}}) - time())",
                "{{secret_namespace}}/{{secret}}",
            ),
            limits=(Limit(14 * _DAY, "yellow"),),
            reversed_limits=True,
            no_value="no data: abops delivery preflight reads them",
            width=12,
        ),
    )
