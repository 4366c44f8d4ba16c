"""A cluster's objects go into a bundle, and out of it into a new, empty cluster."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from abops.stack.programs import postgres_prefix
from support.backup import Protected, run_as_owner
from support.cluster_objects import (
    COUPON,
    DEFINITION,
    EVERYTHING,
    NAMESPACES,
    OTHER,
    OTHERS,
    PASSWORD,
    SPACE,
)
from support.control_plane import ControlPlane

SERVER_SIDE = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "uid")
HIDDEN = (PASSWORD, base64.b64encode(PASSWORD.encode()).decode())


@pytest.fixture(scope="module")
def key(protected: Protected) -> Path:
    """The offline recovery key."""
    folder = protected.database.folder / "offline"
    run_as_owner("mkdir", folder)
    done = protected.abops("config", "init-key", "--write-identity", folder / "recovery.key")
    assert done.returncode == 0, done.stderr
    return folder / "recovery.key"


@pytest.fixture(scope="module")
def saved(protected: Protected, key: Path, plane: ControlPlane) -> str:
    """The name of a bundle in both regions that holds the cluster's objects."""
    assert key.name == "recovery.key"
    plane.kubectl("apply", "--filename=-", given=_list(*NAMESPACES, DEFINITION))
    plane.kubectl("wait", "--for=condition=Established", "crd", DEFINITION["metadata"]["name"])
    plane.kubectl("apply", "--filename=-", given=_list(*OTHERS, COUPON))
    words = ("config", "save", "--no-git", "--kubeconfig", plane.kubeconfig(), "--output", "json")
    with _nothing_leaks() as told:
        done = protected.abops(*words)
        told += [done.stdout, done.stderr]
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert {row["destination"]: row["state"] for row in rows} == {"eu": "stored", "us": "stored"}
    return str(rows[0]["bundle"])


def _list(*items: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "List", "items": list(items)}


def _restore(
    protected: Protected, key: Path, plane: ControlPlane, *words: str, user: str = "admin"
) -> tuple[int, str, str]:
    """Bring the objects back; neither what it prints nor the list of processes tells a value."""
    with _nothing_leaks() as told:
        done = protected.abops(
            *("config", "restore", "--identity", key, "--output", "json"),
            *("--kubeconfig", plane.kubeconfig(user), *words),
        )
        told += [done.stdout, done.stderr]
    return done.returncode, done.stdout, done.stderr


@contextmanager
def _nothing_leaks() -> Iterator[list[str]]:
    """Look at the list of processes until the block ends; then at what was put into the list."""
    told: list[str] = []
    seen: set[bytes] = set()
    end = threading.Event()

    def look() -> None:
        while not end.wait(0.02):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(path.read_bytes())
                except OSError:
                    continue

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield told
    finally:
        end.set()
        watcher.join()
    assert any(b"--kubeconfig" in line for line in seen)
    text = "\n".join([*told, *(line.decode(errors="replace") for line in seen)])
    assert [] == [value for value in HIDDEN if value in text]


def _live(plane: ControlPlane) -> dict[str, Any]:
    """Return what lives in the cluster of what was put there, without the server's own fields."""
    kinds = {".".join([one["kind"], *one["apiVersion"].split("/")[-2:-1]]) for one in EVERYTHING}
    found = plane.get(",".join(sorted(kinds)), "--all-namespaces", "--selector=app=shop")["items"]
    assert len(EVERYTHING) == len(found)
    return {f"{one['kind']} {one['metadata']['name']}": _comparable(one) for one in found}


def _comparable(one: dict[str, Any]) -> dict[str, Any]:
    meta = {key: value for key, value in one["metadata"].items() if key not in SERVER_SIDE}
    notes = dict(meta.pop("annotations", {}))
    notes.pop("kubectl.kubernetes.io/last-applied-configuration", None)
    rest = {key: value for key, value in one.items() if key != "status"}
    spec = dict(rest.get("spec") or {})
    # Given anew by the cluster: a service's address, the volume that is claimed.
    if spec.get("clusterIP") != "None":
        spec.pop("clusterIP", None)
        spec.pop("clusterIPs", None)
    spec.pop("volumeName", None)
    return {**rest, "metadata": {**meta, "annotations": notes}, "spec": spec}


def test_a_lost_cluster_comes_back_object_by_object(
    protected: Protected, key: Path, saved: str, plane: ControlPlane
) -> None:
    before = _live(plane)
    plane.lose()
    code, told, complaint = _restore(protected, key, plane, "--dry-run", "--from", "us")
    assert 0 == code, complaint
    assert "cannot be judged" in complaint
    planned = {row["member"]: row["change"] for row in json.loads(told)}
    assert "added" == planned[f"kubernetes/{SPACE}/Secret/database.json"]
    assert "" == plane.kubectl("get", "namespace", SPACE, "--ignore-not-found")

    code, told, complaint = _restore(protected, key, plane, "--from", "us", "--bundle", saved)
    assert 0 == code, complaint
    states = {row["object"]: row["state"] for row in json.loads(told)}
    assert "created" == states[f"Secret {SPACE}/database"]
    assert "ValidatingWebhookConfiguration gate" == list(states)[-1]
    assert before == _live(plane)

    code, told, complaint = _restore(protected, key, plane)
    assert 0 == code, complaint
    assert {"as it was"} == {row["state"] for row in json.loads(told)}
    assert before == _live(plane)


def test_what_was_changed_is_told_by_key_and_brought_back(
    protected: Protected, key: Path, saved: str, plane: ControlPlane
) -> None:
    before = _live(plane)
    other = base64.b64encode(b"a-password-of-somebody-else").decode()
    patch = json.dumps({"data": {"password": other}})
    plane.kubectl("patch", "secret", "database", f"--namespace={SPACE}", f"--patch={patch}")
    diff = ("config", "diff", saved, "--kubeconfig", plane.kubeconfig(), "--output", "json")
    with _nothing_leaks() as told:
        done = protected.abops(*diff)
        told += [done.stdout, done.stderr]
    assert 0 == done.returncode, done.stderr
    row = next(one for one in json.loads(done.stdout) if one["member"].startswith("kubernetes/"))
    member = f"kubernetes/{SPACE}/Secret/database.json"
    assert (member, "data.password", "changed") == (row["member"], row["key"], row["change"])
    assert other not in done.stdout

    code, restored, complaint = _restore(protected, key, plane, "--namespace", SPACE)
    assert 0 == code, complaint
    states = {one["object"]: one["state"] for one in json.loads(restored)}
    assert {f"Secret {SPACE}/database": "changed"} == {
        what: state for what, state in states.items() if state != "as it was"
    }
    assert f"Secret {OTHER}/key" not in states
    assert before == _live(plane)


def test_an_object_that_is_refused_is_named_and_nothing_is_applied_after_it(
    protected: Protected, key: Path, saved: str, plane: ControlPlane
) -> None:
    before = _live(plane)
    where = f"--namespace={SPACE}"
    plane.kubectl("delete", "rolebinding,configmap", "--selector=app=shop", where)
    # Which role a binding is for cannot be changed.
    plane.kubectl("create", "rolebinding", "reader", "--role=other", "--user=eve", where)
    code, told, complaint = _restore(protected, key, plane, "--bundle", saved)
    assert (1, "") == (code, told)
    assert f"RoleBinding {SPACE}/reader: " in complaint
    assert "Only namespaces and definitions of kinds were applied." in complaint
    assert "" == plane.kubectl("get", "configmap", "settings", where, "--ignore-not-found")

    plane.kubectl("delete", "rolebinding", "reader", where)
    plane.kubectl("delete", "validatingwebhookconfiguration", "gate")
    code, _, complaint = _restore(protected, key, plane, "--bundle", saved)
    assert 0 == code, complaint
    assert before == _live(plane)


def test_a_kubeconfig_that_the_owner_of_the_home_may_not_read_is_no_way_for_the_timetable(
    protected: Protected, plane: ControlPlane
) -> None:
    if not postgres_prefix():
        pytest.skip("who runs this is the owner of the home")
    done = protected.abops("schedule", "--once", "--kubeconfig", plane.kubeconfig())
    assert 2 == done.returncode
    assert "is closed to the owner of the home" in done.stderr


def test_who_may_only_look_is_told_what_he_may_not(
    protected: Protected, key: Path, saved: str, plane: ControlPlane
) -> None:
    viewer = plane.kubeconfig("viewer")
    done = protected.abops("config", "save", "--no-git", "--kubeconfig", viewer)
    assert 1 == done.returncode
    assert "user 'viewer' may not read secrets" in done.stderr
    assert "he must get and list every kind" in done.stderr
    names = [
        row["bundle"]
        for row in json.loads(protected.abops("config", "list", "--output", "json").stdout)
    ]
    assert [saved, saved] == names
    code, _, complaint = _restore(protected, key, plane, user="viewer")
    assert 1 == code
    assert "user 'viewer' may not read" in complaint
