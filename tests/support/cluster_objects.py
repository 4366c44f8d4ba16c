"""Objects of a small application as somebody wrote them, one of each kind that matters."""

import base64
from typing import Any, Final

SPACE: Final = "shop"
OTHER: Final = "tools"
PASSWORD: Final = "correct-horse-battery-staple"  # noqa: S105 - one that no output may show
RELEASE: Final = "H4sIAAAAAAAC-release-of-helm"


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _one(
    api: str, kind: str, name: str, namespace: str | None = SPACE, **more: object
) -> dict[str, Any]:
    meta = {"name": name, "labels": {"app": "shop"}}
    where = {"namespace": namespace} if namespace else {}
    return {"apiVersion": api, "kind": kind, "metadata": {**meta, **where}, **more}


_RBAC: Final = "rbac.authorization.k8s.io"
_STORAGE: Final = {
    "accessModes": ["ReadWriteOnce"],
    "storageClassName": "slow",
    "resources": {"requests": {"storage": "1Gi"}},
}
_POD: Final = {
    "metadata": {"labels": {"app": "shop"}},
    "spec": {"containers": [{"name": "app", "image": "example.com/shop:1"}]},
}
_SCHEMA: Final = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
NAMESPACES: Final = tuple(_one("v1", "Namespace", name, None) for name in (SPACE, OTHER))
DEFINITION: Final = _one(
    "apiextensions.k8s.io/v1",
    "CustomResourceDefinition",
    "coupons.shop.example.com",
    None,
    spec={
        "group": "shop.example.com",
        "scope": "Namespaced",
        "names": {"kind": "Coupon", "plural": "coupons", "singular": "coupon"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": _SCHEMA},
            }
        ],
    },
)
COUPON: Final = _one("shop.example.com/v1", "Coupon", "spring", spec={"percent": 10})
PASSWORDS: Final = _one(
    "v1", "Secret", "database", type="Opaque", data={"password": _encoded(PASSWORD)}
)
OTHERS: Final = (
    PASSWORDS,
    _one(
        "v1",
        "Secret",
        "sh.helm.release.v1.shop.v1",
        type="helm.sh/release.v1",
        data={"release": _encoded(RELEASE)},
    ),
    _one("v1", "Secret", "key", OTHER, type="Opaque", data={"k": _encoded("another-secret")}),
    _one("v1", "ConfigMap", "settings", data={"mode": "fast", "file.ini": "[a]\nb=1\n"}),
    _one("v1", "ServiceAccount", "runner"),
    _one(
        "v1",
        "Service",
        "shop",
        spec={"selector": {"app": "shop"}, "ports": [{"name": "http", "port": 80}]},
    ),
    _one(
        "v1",
        "Service",
        "shop-peers",
        spec={"clusterIP": "None", "selector": {"app": "shop"}, "ports": [{"port": 81}]},
    ),
    _one(
        "apps/v1",
        "Deployment",
        "shop",
        spec={"replicas": 2, "selector": {"matchLabels": {"app": "shop"}}, "template": _POD},
    ),
    _one(
        "batch/v1",
        "CronJob",
        "nightly",
        spec={
            "schedule": "0 3 * * *",
            "jobTemplate": {
                "spec": {"template": {"spec": {**_POD["spec"], "restartPolicy": "Never"}}}
            },
        },
    ),
    _one("v1", "PersistentVolumeClaim", "data", spec={**_STORAGE, "volumeName": "disk"}),
    _one(
        "v1",
        "PersistentVolume",
        "disk",
        None,
        spec={
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "slow",
            "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": {"namespace": SPACE, "name": "data"},
            "nfs": {"server": "192.0.2.1", "path": "/data"},
        },
    ),
    _one(
        "storage.k8s.io/v1",
        "StorageClass",
        "slow",
        None,
        provisioner="example.com/disk",
        reclaimPolicy="Retain",
    ),
    _one(
        f"{_RBAC}/v1",
        "Role",
        "reader",
        rules=[{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}],
    ),
    _one(
        f"{_RBAC}/v1",
        "RoleBinding",
        "reader",
        roleRef={"apiGroup": _RBAC, "kind": "Role", "name": "reader"},
        subjects=[{"kind": "ServiceAccount", "name": "runner", "namespace": SPACE}],
    ),
    _one(
        f"{_RBAC}/v1",
        "ClusterRoleBinding",
        "viewers",
        None,
        roleRef={"apiGroup": _RBAC, "kind": "ClusterRole", "name": "view"},
        subjects=[{"apiGroup": _RBAC, "kind": "Group", "name": "viewers"}],
    ),
    _one(
        # Its server runs in the cluster too, and does not answer before it was started.
        "apiregistration.k8s.io/v1",
        "APIService",
        "v1beta1.metrics.k8s.io",
        None,
        spec={
            "group": "metrics.k8s.io",
            "version": "v1beta1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "insecureSkipTLSVerify": True,
            "service": {"namespace": SPACE, "name": "shop", "port": 80},
        },
    ),
    _one(
        "admissionregistration.k8s.io/v1",
        "ValidatingWebhookConfiguration",
        "gate",
        None,
        webhooks=[
            {
                # Its server runs in the cluster: nothing may ask it before all else is back.
                "name": "gate.shop.example.com",
                "clientConfig": {"service": {"namespace": SPACE, "name": "shop"}},
                "rules": [
                    {
                        "apiGroups": ["", "apps", "batch"],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE"],
                        "resources": ["deployments", "cronjobs", "configmaps"],
                    }
                ],
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "failurePolicy": "Fail",
                "timeoutSeconds": 1,
            }
        ],
    ),
)
EVERYTHING: Final = (*NAMESPACES, DEFINITION, *OTHERS, COUPON)
