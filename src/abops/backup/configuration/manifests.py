"""Kubernetes objects as somebody would have written them, from what the server answers.

What the server fills in is taken away: it would be refused, or mean nothing, in another cluster.
What the cluster makes by itself is left out: tokens, leases, events, what a controller owns. Helm's
own secrets stay: a release is known by them. Pure: takes and returns values.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

Manifest = Mapping[str, Any]

SERVER_FIELDS: Final = frozenset(
    {
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "generation",
        "managedFields",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)
SERVER_ANNOTATIONS: Final = (
    "batch.kubernetes.io/job-tracking",
    "control-plane.alpha.kubernetes.io/",
    "deployment.kubernetes.io/revision",
    "deprecated.daemonset.template.generation",
    "kubectl.kubernetes.io/last-applied-configuration",
    "pv.kubernetes.io/bind-completed",
    "pv.kubernetes.io/bound-by-controller",
    "volume.kubernetes.io/selected-node",
)
LEFT_OUT: Final = frozenset(
    {
        "CSINode",
        "CSIStorageCapacity",
        "CertificateSigningRequest",
        "ControllerRevision",
        "EndpointSlice",
        "Endpoints",
        "Event",
        "IPAddress",
        "Lease",
        "LeaseCandidate",
        "Node",
        "Pod",
        "StorageVersion",
        "VolumeAttachment",
    }
)
"""What the cluster makes anew by itself."""
TOKEN_TYPES: Final = frozenset(
    {"kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"}
)
OWN_NAMES: Final = frozenset(
    {
        ("ConfigMap", "kube-root-ca.crt"),
        ("PriorityClass", "system-cluster-critical"),
        ("PriorityClass", "system-node-critical"),
        ("ServiceAccount", "default"),
        ("ServiceCIDR", "kubernetes"),
    }
)
OWN_NAMESPACES: Final = frozenset({"kube-node-lease", "kube-public", "kube-system"})
OWN_MARKS: Final = (
    ("labels", "kubernetes.io/bootstrapping", "rbac-defaults"),
    ("labels", "kube-aggregator.kubernetes.io/automanaged", ""),
    ("annotations", "apf.kubernetes.io/autoupdate-spec", "true"),
)
"""By which the server knows what it keeps as it wants it; an empty value stands for any."""
ORDER: Final = (
    "Namespace",
    "CustomResourceDefinition",
    "StorageClass",
    "VolumeSnapshotClass",
    "ClusterRole",
    "ClusterRoleBinding",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "Secret",
    "ConfigMap",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "VolumeSnapshotContent",
    "VolumeSnapshot",
)
"""In which order a cluster takes them back; what is not named comes after."""
LAST: Final = (
    "APIService",
    "MutatingAdmissionPolicyBinding",
    "MutatingWebhookConfiguration",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
)
"""What judges others comes when they are there: its server is one of them."""


class ObjectSource(Protocol):
    """A cluster that is asked for its objects."""

    def objects(self) -> Iterable[Manifest]:
        """Return every object that may be read, as the server answers it."""
        ...


def kept(objects: Iterable[Manifest]) -> dict[str, Manifest]:
    """Return what goes into a bundle: a path for each object, in order, and its clean form."""
    found = {path_of(one): cleaned(one) for one in objects if is_kept(one)}
    return dict(sorted(found.items()))


def is_kept(manifest: Manifest) -> bool:
    """Tell whether an object is somebody's decision, and nothing that the cluster made itself."""
    kind, meta = manifest.get("kind", ""), manifest.get("metadata", {})
    if kind in LEFT_OUT or manifest.get("type") in TOKEN_TYPES:
        return False
    if (kind, meta.get("name")) in OWN_NAMES or meta.get("namespace") in OWN_NAMESPACES:
        return False
    if kind == "Namespace" and meta.get("name") in OWN_NAMESPACES:
        return False
    # What a controller owns, the controller makes again.
    if any(owner.get("controller") for owner in meta.get("ownerReferences", ())):
        return False
    if (kind, meta.get("namespace"), meta.get("name")) == ("Service", "default", "kubernetes"):
        return False
    return not any(_is_marked(meta, *mark) for mark in OWN_MARKS)


def cleaned(manifest: Manifest) -> dict[str, Any]:
    """Return the object without what the server filled in."""
    result = {key: value for key, value in manifest.items() if key != "status"}
    meta = {
        key: value
        for key, value in manifest.get("metadata", {}).items()
        if key not in SERVER_FIELDS
    }
    if "annotations" in meta:
        meta["annotations"] = {
            key: value
            for key, value in meta["annotations"].items()
            if not key.startswith(SERVER_ANNOTATIONS)
        }
        if not meta["annotations"]:
            del meta["annotations"]
    result["metadata"] = meta
    clean = _BY_KIND.get(str(manifest.get("kind")))
    if clean is not None and isinstance(manifest.get("spec"), Mapping):
        result["spec"] = clean(manifest["spec"])
    if manifest.get("kind") == "ServiceAccount":
        # Names of tokens that were left out.
        result.pop("secrets", None)
    return result


def path_of(manifest: Manifest) -> str:
    """Return where the object stands in a bundle: namespace, kind with its group, name."""
    meta = manifest.get("metadata", {})
    group = str(manifest.get("apiVersion", "")).rpartition("/")[0]
    kind = f"{manifest.get('kind')}.{group}" if group else str(manifest.get("kind"))
    # A name may hold a colon (system:node), never a slash.
    return f"kubernetes/{meta.get('namespace') or '_cluster'}/{kind}/{meta.get('name')}.json"


def _is_marked(meta: Mapping[str, Any], where: str, name: str, value: str) -> bool:
    found = (meta.get(where) or {}).get(name)
    return bool(found is not None and value in {"", found})


def applied(manifests: Iterable[Manifest]) -> tuple[Manifest, ...]:
    """Return them in the order in which a cluster takes them."""
    ranks = {kind: rank for rank, kind in enumerate(ORDER)}
    ranks.update((kind, len(ORDER) + 1) for kind in LAST)
    return tuple(
        sorted(manifests, key=lambda one: (ranks.get(one["kind"], len(ORDER)), path_of(one)))
    )


def _service(spec: Mapping[str, Any]) -> dict[str, Any]:
    gone = {"clusterIP", "clusterIPs", "healthCheckNodePort"}
    # A headless service is one by decision.
    if spec.get("clusterIP") == "None":
        gone = {"healthCheckNodePort"}
    return {key: value for key, value in spec.items() if key not in gone}


def _claim(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if key != "volumeName"}


def _volume(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Keep which claim a volume is for, not which one it was in the cluster that is gone."""
    claim = spec.get("claimRef")
    if not isinstance(claim, Mapping):
        return dict(spec)
    names = {key: claim[key] for key in ("namespace", "name") if key in claim}
    return {**spec, "claimRef": names}


def _job(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Drop the label by which a job knows its own pods."""
    labels = ("controller-uid", "batch.kubernetes.io/controller-uid")
    result = {key: value for key, value in spec.items() if key != "selector"}
    meta = spec.get("template", {}).get("metadata", {})
    own = {key: value for key, value in meta.get("labels", {}).items() if key not in labels}
    result["template"] = {**spec.get("template", {}), "metadata": {**meta, "labels": own}}
    return result


_BY_KIND: Final = {
    "Job": _job,
    "PersistentVolume": _volume,
    "PersistentVolumeClaim": _claim,
    "Service": _service,
}
