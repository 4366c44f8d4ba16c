"""The account that reads a cluster for the bundle may do that, and no more."""

from pathlib import Path

import pytest
import yaml

from abops.backup.configuration.cluster import read_cluster
from abops.backup.configuration.manifests import kept
from abops.backup.schedule.reader import NAME
from abops.clients.kubectl import ClusterForbiddenError, open_cluster
from abops.stack.tools import find_tool
from support.backup import ROOT
from support.control_plane import ControlPlane

STAGING, NEIGHBOUR = "analyticbot-staging", "neighbour"
RENDERED = ROOT / "infrastructure" / "k8s" / "backup" / "staging.yaml"


@pytest.fixture
def reader(plane: ControlPlane) -> Path:
    """The kubeconfig of the rendered account, in a cluster with a secret in two namespaces."""
    for name in (STAGING, NEIGHBOUR):
        secret = {"metadata": {"name": "password", "namespace": name}, "stringData": {"p": "x"}}
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        for one in (space, {"apiVersion": "v1", "kind": "Secret", **secret}):
            plane.kubectl("apply", "--filename=-", given=one)
    plane.kubectl("apply", f"--filename={RENDERED}")
    token = plane.kubectl("create", "token", NAME, f"--namespace={STAGING}")
    return plane.let_in("reader", token)


async def test_it_reads_all_of_its_namespace_and_no_secret_of_another(reader: Path) -> None:
    with open_cluster(find_tool("kubectl"), reader) as cluster:
        found = kept(await read_cluster(cluster, [STAGING]))
        assert f"kubernetes/{STAGING}/Secret/password.json" in found
        assert f"kubernetes/_cluster/Namespace/{STAGING}.json" in found
        with pytest.raises(ClusterForbiddenError, match="may not read secrets"):
            await read_cluster(cluster, [NEIGHBOUR])


def test_it_changes_nothing_and_gets_into_no_pod(reader: Path, plane: ControlPlane) -> None:
    assert reader == plane.kubeconfig("reader")
    words = ("auth", "can-i", "--list", f"--namespace={STAGING}", "--no-headers")
    verbs = {line.rpartition("[")[2] for line in plane.kubectl(*words, user="reader").splitlines()}
    # Whoever is signed in may ask who he is and what he may.
    assert {"get list]", "get]", "create]"} == verbs
    with pytest.raises(AssertionError, match=r"pods \"x\" is forbidden"):
        plane.kubectl("get", "pod", "x", "--subresource=status", user="reader")


def test_the_rendered_account_is_for_one_namespace_each() -> None:
    names = {
        (one["metadata"].get("namespace"), subject["namespace"])
        for one in yaml.safe_load_all(RENDERED.read_text())
        for subject in one.get("subjects", ())
    }
    assert {(STAGING, STAGING), (None, STAGING)} == names
