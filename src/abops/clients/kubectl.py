"""The only door to a cluster: kubectl, asked with words and a kubeconfig in a file.

Objects go in by standard input and come out by standard output: nothing of them stands in the list
of processes. What kubectl complains of may quote them, so only its known phrases are passed on.
"""

import base64
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from abops.clients.programs import Ended, call
from abops.kernel.errors import OpsError

DEADLINE_S: Final = 120.0
ESTABLISHED_S: Final = 60.0
MEASUREMENTS: Final = frozenset(
    {"custom.metrics.k8s.io", "external.metrics.k8s.io", "metrics.k8s.io"}
)
"""Parts of the interface that keep nothing."""
FIELD_MANAGER: Final = "abops-backup"
TOLD: Final = 300
NAMED: Final = 3
_COLUMNS: Final = 4
_FORBIDDEN: Final = re.compile(r'\(Forbidden\).*?: User "([^"]+)" cannot \w+ resource "([^"]+)"')
_REASON: Final = re.compile(r"^Error from server \((\w+)\)", re.MULTILINE)
_AWAY: Final = re.compile(
    r"was refused|no such host|i/o timeout|Unable to connect|no route to host|EOF$|x509:"
    r"|Client\.Timeout|context deadline",
    re.MULTILINE,
)
_QUOTED: Final = re.compile(r"(Invalid value|Unsupported value|Duplicate value): .*?(?=: [a-z]|$)")
_SILENT: Final = re.compile(r"([a-z0-9.-]+)/v\w+: (?:the server|stale|no response)")
_LOGGED: Final = re.compile(r"^(?:[EFIW]\d{4} |Warning: )")
_SHORTEST: Final = 4
"""A shorter word is found in too much else to be struck out."""


class ClusterError(OpsError):
    """The cluster cannot be asked for its objects."""

    hint = "Try `kubectl --kubeconfig FILE get namespaces` with the same file."


class ClusterAwayError(ClusterError):
    """The cluster's API server does not answer."""

    hint = "The kubeconfig must name a server that is reached from here, and its authority."


class ClusterForbiddenError(ClusterError):
    """The user of the kubeconfig may not do this."""

    hint = (
        "To save, he must get and list every kind, secrets too; to bring back, create and patch"
        " them. `kubectl auth can-i --list` tells what he may."
    )


class ObjectRefusedError(ClusterError):
    """The cluster does not take an object."""

    hint = "Nothing after it was applied. Mend its cause and run it again: that is harmless."


class Kind(msgspec.Struct, frozen=True):
    """A kind of object that a server knows, in the version that it prefers."""

    resource: str
    """Its name in the plural."""
    version: str
    """Group and version, as `apiVersion` writes them."""
    name: str
    namespaced: bool

    @property
    def full(self) -> str:
        """Return the name that means no other kind: with version and group."""
        group, _, version = self.version.rpartition("/")
        return f"{self.resource}.{version}.{group}" if group else self.resource


class Kubectl(msgspec.Struct, frozen=True):
    """One cluster, as the user of a kubeconfig."""

    program: Path
    kubeconfig: Path
    cache: Path
    """What kinds there are is remembered here, for as long as this is used."""

    async def kinds(self, *, silent: bool = False) -> tuple[Kind, ...]:
        """Return every kind that can be listed and made.

        A part of the interface that a program in the cluster serves may not answer. Raises
        ClusterError then, unless it has only measurements, or `silent` ones are to be passed over.
        """
        words = ("api-resources", "--verbs=get,list,create", "--no-headers")
        ended = await self._run(*words)
        if ended.code != 0:
            away = _SILENT.findall(ended.errors)
            known = bool(away) and (silent or MEASUREMENTS.issuperset(away))
            if not known or not ended.output:
                raise _complaint(ended, words[0])
        rows = [line.split() for line in ended.output.decode().splitlines()]
        return tuple(
            Kind(resource=row[0], version=row[-3], name=row[-1], namespaced=row[-2] == "true")
            for row in rows
            if len(row) >= _COLUMNS
        )

    async def objects(
        self, kinds: Iterable[Kind], *, namespace: str = "", names: Sequence[str] = ()
    ) -> tuple[dict[str, Any], ...]:
        """Return all objects of these kinds, or the named ones that are there.

        Raises ClusterForbiddenError when one kind may not be listed: less than all is not given.
        """
        wanted = ",".join(kind.full for kind in kinds)
        if not wanted:
            return ()
        where = ("--namespace", namespace) if namespace else ("--all-namespaces",)
        which = (*names, "--ignore-not-found") if names else where
        ended = await self._ask("get", wanted, *which, "--output=json")
        if not ended.output.strip():
            return ()
        answer = _document(ended.output)
        return tuple(answer["items"]) if "items" in answer else (answer,)

    async def apply(self, manifest: Mapping[str, Any], *, dry_run: bool) -> dict[str, Any]:
        """Have the server take an object, or only judge it; return it as it is then.

        Fields are the server's business (server-side apply): no copy of a secret comes to lie in
        an annotation, and doing it again changes nothing. Raises ObjectRefusedError.
        """
        words = ["apply", "--server-side", "--force-conflicts", f"--field-manager={FIELD_MANAGER}"]
        words += ["--dry-run=server"] if dry_run else []
        words += ["--output=json", "--filename=-"]
        ended = await self._run(*words, given=msgspec.json.encode(manifest))
        if ended.code != 0:
            raise _complaint(ended, words[0], manifest)
        return _document(ended.output)

    async def await_established(self, names: Sequence[str]) -> None:
        """Wait until the server answers for these custom kinds."""
        if names:
            kinds = [f"customresourcedefinition/{name}" for name in names]
            limit = f"--timeout={ESTABLISHED_S:.0f}s"
            await self._ask("wait", "--for=condition=Established", limit, *kinds)

    async def _ask(self, *words: str) -> Ended:
        ended = await self._run(*words)
        if ended.code != 0:
            raise _complaint(ended, words[0])
        return ended

    async def _run(self, *words: str, given: bytes | None = None) -> Ended:
        if not os.access(self.kubeconfig, os.R_OK):
            raise ClusterError(f"{self.kubeconfig}: cannot be read")
        own = (f"--kubeconfig={self.kubeconfig}", f"--cache-dir={self.cache}")
        # A cloud's way in is a program of its own, which needs what we see. A person's habits
        # (kuberc) are left out.
        environment = {**os.environ, "LC_ALL": "C", "KUBERC": "off"}
        environment.pop("KUBECONFIG", None)
        try:
            return await call(
                self.program,
                *own,
                *words,
                timeout_s=DEADLINE_S,
                environment=environment,
                given=given,
            )
        except OSError as error:
            raise ClusterError(f"{self.program.name}: {error.strerror}") from error


@contextmanager
def open_cluster(program: Path, kubeconfig: Path) -> Iterator[Kubectl]:
    """Give the door to a cluster; what was remembered of it is forgotten afterwards."""
    with tempfile.TemporaryDirectory(prefix="abops-kube-") as cache:
        yield Kubectl(program, kubeconfig.absolute(), Path(cache))


def what_is(manifest: Mapping[str, Any]) -> str:
    """Return how an object is called: its kind, where it lives, its name."""
    meta = manifest.get("metadata", {})
    place = f"{meta['namespace']}/" if meta.get("namespace") else ""
    return f"{manifest.get('kind')} {place}{meta.get('name')}"


def _document(output: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(output, type=dict[str, Any])
    except msgspec.MsgspecError:
        raise ClusterError("kubectl's answer is no JSON") from None


def _complaint(ended: Ended, verb: str, manifest: Mapping[str, Any] | None = None) -> ClusterError:
    """Return the error for what kubectl said, without what it quoted."""
    before = f"{what_is(manifest)}: " if manifest else ""
    if ended.timed_out:
        return ClusterAwayError(f"{before}kubectl {verb} took over {DEADLINE_S:.0f} s")
    if found := _FORBIDDEN.findall(ended.errors):
        return ClusterForbiddenError(f"{before}{_may_not(found, 'change' if manifest else 'read')}")
    said = _said(ended.errors, manifest or {}) or f"kubectl {verb} failed"
    if _REASON.search(ended.errors) is None and _AWAY.search(ended.errors):
        return ClusterAwayError(f"{before}{said}")
    return (ObjectRefusedError if manifest else ClusterError)(f"{before}{said}")


def _may_not(found: Sequence[tuple[str, str]], verb: str) -> str:
    """Tell which kinds are closed to the user; secrets first, they are what matters."""
    kinds = sorted({resource for _, resource in found}, key=lambda one: (one != "secrets", one))
    more = f" and {len(kinds) - NAMED} kinds more" if len(kinds) > NAMED else ""
    return f"user {found[0][0]!r} may not {verb} {', '.join(kinds[:NAMED])}{more}"


def _said(errors: str, manifest: Mapping[str, Any]) -> str:
    """Return kubectl's own words: one line, no value that it quotes."""
    lines = [line for line in errors.splitlines() if line and not _LOGGED.match(line)]
    told = [line for line in lines if line.lower().startswith(("error", "unable", "the "))]
    said = _QUOTED.sub(r"\1", (told or lines or [""])[0])
    for value in _hidden(manifest):
        said = said.replace(value, "***")
    return said[:TOLD]


def _hidden(manifest: Mapping[str, Any]) -> list[str]:
    """Return the values of a secret, as they stand there and as they are, the longest first."""
    if manifest.get("kind") != "Secret":
        return []
    plain = [str(value) for value in (manifest.get("stringData") or {}).values()]
    for value in (manifest.get("data") or {}).values():
        plain.append(str(value))
        with suppress(ValueError):
            plain.append(base64.b64decode(str(value), validate=True).decode())
    return sorted((one for one in plain if len(one) >= _SHORTEST), key=len, reverse=True)
