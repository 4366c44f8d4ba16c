"""A cluster's objects into a bundle, and from a bundle into a cluster.

The server judges every object before it takes the first. What it cannot judge yet, because the
namespace or the definition is not there, it judges as soon as those are. Objects are applied one
by one: a refused one is named, and nothing comes after it.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Final, Literal

import msgspec

from abops.backup.configuration.archive import Bundle
from abops.backup.configuration.collect import KUBERNETES, object_members
from abops.backup.configuration.errors import CollectError
from abops.backup.configuration.manifests import LEFT_OUT, Manifest, applied, path_of
from abops.clients.kubectl import Kind, Kubectl, ObjectRefusedError, what_is
from abops.kernel.clock import Clock

AT_ONCE: Final = 3
KINDS_APPEAR_S: Final = 30.0
LOOK_EVERY_S: Final = 0.3
FIRST: Final = frozenset({"Namespace", "CustomResourceDefinition"})
"""What others need to be judged at all."""
_NAMESPACES: Final = Kind(resource="namespaces", version="v1", name="Namespace", namespaced=False)

State = Literal["created", "changed", "as it was"]


class Plan(msgspec.Struct, frozen=True):
    """What a restore would do, by path in the bundle."""

    before: Mapping[str, bytes]
    """What is there now, of what the bundle holds."""
    after: Mapping[str, bytes]
    """What would be there, as the server has it."""
    waiting: tuple[str, ...]
    """What the server can judge only once its namespace or definition is there."""


class Applied(msgspec.Struct, frozen=True):
    """An object that was brought back."""

    what: str
    state: State


async def read_cluster(
    cluster: Kubectl, namespaces: Sequence[str] | None = None, *, silent: bool = False
) -> tuple[Manifest, ...]:
    """Return the objects of these namespaces, of all for None, and those that are in none.

    Raises an error rather than leaving something out, unless parts that do not answer are to be
    passed over: after a restore those that serve them are yet to start.
    """
    kinds = [kind for kind in await cluster.kinds(silent=silent) if kind.name not in LEFT_OUT]
    if namespaces is None:
        return await cluster.objects(kinds)
    found = await _existing(cluster, namespaces)
    missing = sorted(set(namespaces) - {one["metadata"]["name"] for one in found})
    if missing:
        raise CollectError(f"the cluster has no namespace {missing[0]}")
    wide = [kind for kind in kinds if not kind.namespaced and kind.name != "Namespace"]
    found += await cluster.objects(wide)
    inside = [kind for kind in kinds if kind.namespaced]
    for namespace in namespaces:
        found += await cluster.objects(inside, namespace=namespace)
    return found


def objects_of(bundle: Bundle, namespaces: Collection[str] = ()) -> tuple[Manifest, ...]:
    """Return a bundle's objects in the order in which a cluster takes them."""
    manifests = [
        msgspec.json.decode(content, type=dict[str, object])
        for name, content in bundle.members.items()
        if name.startswith(f"{KUBERNETES}/")
    ]
    return applied(one for one in manifests if not namespaces or _is_in(one, namespaces))


async def plan(cluster: Kubectl, wanted: Sequence[Manifest]) -> Plan:
    """Return what the server says that a restore would change; nothing is changed."""
    before = await _before(cluster, wanted)
    waiting = await _not_yet(cluster, wanted)
    ready = [one for one in wanted if path_of(one) not in waiting]
    judged = await _judge(cluster, ready, "Nothing is applied by a dry run.")
    later = [one for one in wanted if path_of(one) in waiting]
    return Plan(before, object_members([*judged, *later]), tuple(map(path_of, later)))


async def bring_objects(
    cluster: Kubectl, wanted: Sequence[Manifest], clock: Clock
) -> tuple[Applied, ...]:
    """Bring objects into a cluster, in order; what is there and equal stays as it is.

    Raises ObjectRefusedError for the first that is not taken.
    """
    before = await _before(cluster, wanted)
    first = [one for one in wanted if one["kind"] in FIRST]
    rest = [one for one in wanted if one["kind"] not in FIRST]
    judged = await _judge(cluster, first, "Nothing was applied.")
    done = await _take(cluster, first, judged, before)
    custom = [one for one in first if one["kind"] == "CustomResourceDefinition"]
    await cluster.await_established([one["metadata"]["name"] for one in custom])
    await _await_kinds(cluster, rest, custom, clock)
    so_far = "Only namespaces and definitions of kinds were applied."
    judged = await _judge(cluster, rest, so_far)
    return done + await _take(cluster, rest, judged, before)


async def _before(cluster: Kubectl, wanted: Sequence[Manifest]) -> dict[str, bytes]:
    """Return what is there of the wanted objects, by path."""
    there = await _existing(cluster, _namespaces(wanted))
    names = [one["metadata"]["name"] for one in there]
    found = await read_cluster(cluster, names, silent=True)
    paths = {path_of(one) for one in wanted}
    return {path: one for path, one in object_members(found).items() if path in paths}


async def _existing(cluster: Kubectl, names: Sequence[str]) -> tuple[Manifest, ...]:
    found: tuple[Manifest, ...] = ()
    if names:
        found = await cluster.objects([_NAMESPACES], names=names)
    return found


async def _not_yet(cluster: Kubectl, wanted: Sequence[Manifest]) -> frozenset[str]:
    """Return the paths of what the server cannot judge yet."""
    known = {(kind.version, kind.name) for kind in await cluster.kinds(silent=True)}
    there = {one["metadata"]["name"] for one in await _existing(cluster, _namespaces(wanted))}
    return frozenset(
        path_of(one)
        for one in wanted
        if _namespace(one) not in {"", *there} or (one["apiVersion"], one["kind"]) not in known
    )


async def _judge(
    cluster: Kubectl, manifests: Sequence[Manifest], so_far: str
) -> tuple[Manifest, ...]:
    """Have the server judge objects without taking them; return them as it would have them."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def judge(manifest: Manifest) -> Manifest:
        async with gate:
            return await cluster.apply(manifest, dry_run=True)

    told = await asyncio.gather(*map(judge, manifests), return_exceptions=True)
    for one in told:
        if isinstance(one, ObjectRefusedError):
            raise ObjectRefusedError(str(one), hint=so_far)
        if isinstance(one, BaseException):
            raise one
    return tuple(one for one in told if not isinstance(one, BaseException))


async def _take(
    cluster: Kubectl,
    manifests: Sequence[Manifest],
    judged: Sequence[Manifest],
    before: Mapping[str, bytes],
) -> tuple[Applied, ...]:
    """Have the server take objects one by one; what would stay as it is is left alone."""
    done = []
    for manifest, outcome in zip(manifests, judged, strict=True):
        path = path_of(manifest)
        state: State = "changed" if path in before else "created"
        if path in before and before[path] == object_members([outcome]).get(path):
            state = "as it was"
        else:
            await cluster.apply(manifest, dry_run=False)
        done.append(Applied(what_is(manifest), state))
    return tuple(done)


async def _await_kinds(
    cluster: Kubectl, wanted: Sequence[Manifest], custom: Sequence[Manifest], clock: Clock
) -> None:
    """Wait until the server lists the kinds that were just defined: that comes a little later."""
    defined = {one["spec"]["names"]["kind"] for one in custom}
    needed = {(one["apiVersion"], one["kind"]) for one in wanted if one["kind"] in defined}
    end = clock.monotonic() + KINDS_APPEAR_S
    while needed and clock.monotonic() < end:
        needed -= {(kind.version, kind.name) for kind in await cluster.kinds(silent=True)}
        if needed:
            await asyncio.sleep(LOOK_EVERY_S)


def _namespace(manifest: Manifest) -> str:
    return str(manifest["metadata"].get("namespace") or "")


def _namespaces(manifests: Sequence[Manifest]) -> list[str]:
    """Return the namespaces that objects are, or live in."""
    are = {one["metadata"]["name"] for one in manifests if one["kind"] == "Namespace"}
    return sorted(({_namespace(one) for one in manifests} | are) - {""})


def _is_in(manifest: Manifest, namespaces: Collection[str]) -> bool:
    if manifest["kind"] == "Namespace":
        return manifest["metadata"]["name"] in namespaces
    return _namespace(manifest) in {"", *namespaces}
