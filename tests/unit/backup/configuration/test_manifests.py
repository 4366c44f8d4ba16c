"""What of a cluster's objects goes into a bundle, by the shapes that servers answer."""

from typing import Any

from abops.backup.configuration.manifests import applied, cleaned, kept, path_of

META = {
    "name": "db",
    "namespace": "analyticbot",
    "uid": "0e3d",
    "resourceVersion": "71",
    "creationTimestamp": "2026-11-25T00:00:00Z",
    "generation": 3,
    "managedFields": [{"manager": "kubectl"}],
    "labels": {"app": "db"},
    "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "team": "data"},
}


def _object(kind: str, api: str = "v1", **more: object) -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": META, **more}


def test_what_the_server_filled_in_goes() -> None:
    clean = cleaned(_object("ConfigMap", data={"a": "1"}, status={"x": 1}))
    meta = {
        "name": "db",
        "namespace": "analyticbot",
        "labels": {"app": "db"},
        "annotations": {"team": "data"},
    }
    assert {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"a": "1"}} == clean


def test_cleaning_twice_is_cleaning_once() -> None:
    service = _object("Service", spec={"clusterIP": "10.0.0.7", "ports": [{"port": 80}]})
    assert cleaned(service) == cleaned(cleaned(service))
    assert {"ports": [{"port": 80}]} == cleaned(service)["spec"]


def test_a_headless_service_stays_headless() -> None:
    spec = {"clusterIP": "None", "clusterIPs": ["None"]}
    assert spec == cleaned(_object("Service", spec=spec))["spec"]


def test_a_volume_keeps_whose_it_is_and_not_which_it_was() -> None:
    claim = {"namespace": "analyticbot", "name": "data", "uid": "9", "resourceVersion": "1"}
    volume = cleaned(_object("PersistentVolume", spec={"claimRef": claim}))
    assert {"namespace": "analyticbot", "name": "data"} == volume["spec"]["claimRef"]


def test_tokens_leases_events_and_what_controllers_own_are_left_out() -> None:
    owned = {**META, "name": "db-6f", "ownerReferences": [{"controller": True, "kind": "Deploy"}]}
    objects = [
        _object("Secret", type="kubernetes.io/service-account-token"),
        _object("Lease", "coordination.k8s.io/v1"),
        _object("Event"),
        _object("Pod"),
        {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": owned},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {**META, "name": "kube-root-ca.crt"}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {**META, "namespace": "kube-system"}},
        _object("Secret", type="Opaque", data={"password": "eA=="}),
    ]
    assert ["kubernetes/analyticbot/Secret/db.json"] == list(kept(objects))


def test_a_custom_resource_has_its_group_in_its_path() -> None:
    one = {"apiVersion": "cert-manager.io/v1", "kind": "Issuer", "metadata": {"name": "ca"}}
    assert "kubernetes/_cluster/Issuer.cert-manager.io/ca.json" == path_of(one)


def test_a_cluster_takes_namespaces_and_definitions_before_what_needs_them() -> None:
    kinds = ["Deployment", "Secret", "Role", "CustomResourceDefinition", "Namespace"]
    objects = [{"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}} for kind in kinds]
    assert list(reversed(kinds)) == [one["kind"] for one in applied(objects)]


def test_what_the_server_keeps_as_it_wants_it_is_left_out() -> None:
    def marked(kind: str, **meta: object) -> dict[str, Any]:
        return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "x", **meta}}

    own = [
        marked("ClusterRole", labels={"kubernetes.io/bootstrapping": "rbac-defaults"}),
        marked("APIService", labels={"kube-aggregator.kubernetes.io/automanaged": "onstart"}),
        marked("FlowSchema", annotations={"apf.kubernetes.io/autoupdate-spec": "true"}),
        marked("Service", namespace="default", name="kubernetes"),
    ]
    chosen = [
        marked("ClusterRole", labels={"kubernetes.io/bootstrapping": "other"}),
        marked("APIService", labels={"app": "metrics"}),
        marked("FlowSchema", annotations={"apf.kubernetes.io/autoupdate-spec": "false"}),
        marked("Service", namespace="shop", name="kubernetes"),
    ]
    assert {} == kept(own)
    assert 4 == len(kept(chosen))


def test_what_judges_others_comes_after_them() -> None:
    kinds = ["Deployment", "APIService", "ValidatingWebhookConfiguration"]
    objects = [{"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}} for kind in kinds]
    assert kinds[0] == applied(objects)[0]["kind"]
