"""Who reads a cluster's objects for the bundle of configuration: an account with just that right.

Secrets are open to it in the named namespace only. Groups and kinds are named: a right to get
everything would open the secrets of all namespaces, and a way into pods (exec) besides.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import yaml

from abops.inventory.model import Inventory

NAME: Final = "abops-backup-reader"
READ: Final = ("get", "list")
WIDE_GROUPS: Final = (
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "certificates.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "snapshot.storage.k8s.io",
    "storage.k8s.io",
)
"""Groups that have kinds without a namespace; no secret is in any of them."""
WIDE_CORE: Final = ("namespaces", "persistentvolumes")
INNER_GROUPS: Final = (
    "apps",
    "autoscaling",
    "batch",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "snapshot.storage.k8s.io",
    "storage.k8s.io",
)
INNER_CORE: Final = (
    "configmaps",
    "limitranges",
    "persistentvolumeclaims",
    "podtemplates",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "serviceaccounts",
    "services",
)
_RBAC: Final = "rbac.authorization.k8s.io"
Manifest = dict[str, Any]


def reader_files(inventory: Inventory) -> dict[str, str]:
    """Return a file for each environment that has a cluster: account, rights, bindings."""
    return {
        f"{name}.yaml": yaml.safe_dump_all(
            _manifests(place.namespace), sort_keys=False, explicit_start=True
        )
        for name, place in inventory.environments.items()
        if name != "local"
    }


def _manifests(namespace: str) -> Iterator[Manifest]:
    wide = f"{NAME}-{namespace}"
    account = {"kind": "ServiceAccount", "name": NAME, "namespace": namespace}
    # Its token is asked for (`kubectl create token`), and mounted nowhere.
    yield {**_named("v1", "ServiceAccount", namespace), "automountServiceAccountToken": False}
    yield {
        **_named(f"{_RBAC}/v1", "Role", namespace),
        "rules": _rules(INNER_CORE, INNER_GROUPS),
    }
    yield _binding("RoleBinding", "Role", NAME, account, namespace)
    yield {
        **_named(f"{_RBAC}/v1", "ClusterRole", name=wide),
        "rules": _rules(WIDE_CORE, WIDE_GROUPS),
    }
    yield _binding("ClusterRoleBinding", "ClusterRole", wide, account)


def _rules(core: Sequence[str], groups: Sequence[str]) -> list[Manifest]:
    return [
        {"apiGroups": [""], "resources": list(core), "verbs": list(READ)},
        {"apiGroups": list(groups), "resources": ["*"], "verbs": list(READ)},
    ]


def _binding(
    kind: str, role: str, name: str, account: dict[str, str], namespace: str = ""
) -> Manifest:
    return {
        **_named(f"{_RBAC}/v1", kind, namespace, name),
        "roleRef": {"apiGroup": _RBAC, "kind": role, "name": name},
        "subjects": [dict(account)],
    }


def _named(api: str, kind: str, namespace: str = "", name: str = NAME) -> Manifest:
    labels = {"app.kubernetes.io/name": "abops-backup", "app.kubernetes.io/part-of": "analyticbot"}
    where = {"namespace": namespace} if namespace else {}
    return {
        "apiVersion": api,
        "kind": kind,
        "metadata": {"name": name, **where, "labels": labels},
    }
