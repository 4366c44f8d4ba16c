"""What kubectl says, as it comes to a person: the cause, and no value."""

import asyncio
import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from abops.clients.kubectl import (
    ClusterAwayError,
    ClusterError,
    ClusterForbiddenError,
    Kubectl,
    ObjectRefusedError,
    open_cluster,
)

PASSWORD = base64.b64encode(b"correct-horse").decode()
SECRET: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "db", "namespace": "shop"},
    "data": {"password": PASSWORD},
}
Cluster = Callable[[str], Kubectl]


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    """Return a cluster whose kubectl is a script."""

    def made(script: str) -> Kubectl:
        program = tmp_path / "kubectl"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        (tmp_path / "config").write_text("{}")
        return Kubectl(program, tmp_path / "config", tmp_path / "cache")

    return made


def _fails(text: str) -> str:
    return f"cat >/dev/null; cat >&2 <<'X'\n{text}\nX\nexit 1"


def test_kinds_have_their_group_in_their_name(cluster: Cluster) -> None:
    table = (
        "secrets v1 true Secret\ndeployments deploy apps/v1 true Deployment\nnodes no v1 false Node"
    )
    kinds = asyncio.run(cluster(f"cat <<'X'\n{table}\nX").kinds())
    assert ["secrets", "deployments.v1.apps", "nodes"] == [kind.full for kind in kinds]
    assert [True, True, False] == [kind.namespaced for kind in kinds]


def test_an_object_goes_in_by_standard_input_and_not_among_the_words(cluster: Cluster) -> None:
    script = 'case "$*" in *"$(cat | tr -d \\\\n)"*) exit 3;; esac; echo "{\\"words\\": \\"$*\\"}"'
    told = asyncio.run(cluster(script).apply(SECRET, dry_run=True))
    assert "--dry-run=server" in told["words"]
    assert PASSWORD not in told["words"]


def test_what_may_not_be_read_is_named_secrets_first(cluster: Cluster) -> None:
    line = (
        'Error from server (Forbidden): {0} is forbidden: User "eve" cannot list resource "{0}"'
        ' in API group "" at the cluster scope'
    )
    kinds = ("configmaps", "jobs", "roles", "secrets")
    closed = cluster(_fails("\n".join(line.format(kind) for kind in kinds)))
    with pytest.raises(ClusterForbiddenError) as caught:
        asyncio.run(closed.kinds())
    assert "user 'eve' may not read secrets, configmaps, jobs and 1 kinds more" == str(caught.value)


@pytest.mark.parametrize(
    "said",
    [
        'Error from server (Invalid): Secret "db" is invalid: data: Invalid value: "correct-horse"',
        f"Error from server (BadRequest): admission webhook denied: {PASSWORD} is weak",
        "error: no objects: correct-horse",
    ],
)
def test_a_refusal_names_the_object_and_quotes_no_value(cluster: Cluster, said: str) -> None:
    with pytest.raises(ObjectRefusedError) as caught:
        asyncio.run(cluster(_fails(said)).apply(SECRET, dry_run=False))
    assert str(caught.value).startswith("Secret shop/db: ")
    assert "correct-horse" not in str(caught.value)
    assert PASSWORD not in str(caught.value)


def test_a_server_that_is_away_is_told_from_one_that_refuses(cluster: Cluster) -> None:
    away = (
        "E1125 10:00:00.1 7 memcache.go:265] couldn't get current server API group list\n"
        "The connection to the server 127.0.0.1:1 was refused - did you specify the right host?"
    )
    with pytest.raises(ClusterAwayError, match=r"^The connection to the server"):
        asyncio.run(cluster(_fails(away)).kinds())


@pytest.mark.parametrize(("group", "silent"), [("metrics.k8s.io", False), ("shop.io", True)])
def test_a_part_that_does_not_answer_is_passed_over(
    cluster: Cluster, group: str, *, silent: bool
) -> None:
    stale = f"{group}/v1: stale GroupVersion discovery: {group}/v1"
    said = f"error: unable to retrieve the complete list of server APIs: {stale}"
    half = cluster(f"echo secrets v1 true Secret; {_fails(said)}")
    kinds = asyncio.run(half.kinds(silent=silent))
    assert ["secrets"] == [kind.full for kind in kinds]
    with pytest.raises(ClusterError, match=r"complete list of server APIs: shop"):
        asyncio.run(cluster(f"echo x; {_fails(said.replace(group, 'shop.io'))}").kinds())


def test_a_kubeconfig_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "absent"
    with open_cluster(Path("/bin/true"), missing) as door, pytest.raises(ClusterError) as caught:
        asyncio.run(door.kinds())
    assert f"{missing}: cannot be read" == str(caught.value)
