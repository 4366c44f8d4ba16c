"""Where commands meet a cluster: its kubeconfig, its namespaces, kubectl.

A cluster is asked before a command goes on as the owner of the home, who need not be able to read
a person's kubeconfig or the cached kubectl.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from abops.entry.cli.output import show
from abops.kernel.errors import UsageError

if TYPE_CHECKING:
    from abops.backup.configuration.archive import Bundle
    from abops.backup.configuration.cluster import Plan
    from abops.backup.configuration.manifests import Manifest

F = TypeVar("F", bound=Callable[..., Any])
_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)
DIFFERENCES = ("member", "key", "change", "before", "after")


class Access(msgspec.Struct, frozen=True):
    """A way to a cluster, and which of its namespaces count; None: all."""

    program: Path
    kubeconfig: Path
    namespaces: tuple[str, ...] | None

    @classmethod
    def of(cls, kubeconfig: Path | None, namespaces: Sequence[str]) -> "Access | None":
        """Return what the options say. Raises UsageError, ToolMissingError."""
        if kubeconfig is None:
            if namespaces:
                raise UsageError("--namespace needs --kubeconfig")
            return None
        from abops.stack.tools import find_tool

        return cls(find_tool("kubectl"), kubeconfig.absolute(), tuple(namespaces) or None)

    async def read(self) -> "tuple[Manifest, ...]":
        """Return the cluster's objects. Raises ClusterError."""
        from abops.backup.configuration.cluster import read_cluster
        from abops.clients.kubectl import open_cluster

        with open_cluster(self.program, self.kubeconfig) as cluster:
            return await read_cluster(cluster, self.namespaces)

    def check(self) -> None:
        """Raise UsageError if who we are now cannot use it: for what goes on for long."""
        for path, needed in ((self.program, os.X_OK), (self.kubeconfig, os.R_OK)):
            if not os.access(path, needed):
                raise UsageError(
                    f"{path} is closed to the owner of the home",
                    hint="Run it as that user, with a kubeconfig and a kubectl that he may use.",
                )


def cluster_options(command: F) -> F:
    """Add `--kubeconfig FILE` and `--namespace NS...` to a command."""
    of = click.option(
        "--namespace", "namespaces", multiple=True, metavar="NS", help="Only this one.  [all]"
    )
    return click.option("--kubeconfig", type=_FILE, help="The cluster's objects too.")(of(command))


def objects_of_cluster(access: Access | None) -> "tuple[Manifest, ...]":
    """Return the objects of a cluster; none without one."""
    return asyncio.run(access.read()) if access else ()


def bring_to_cluster(
    bundle: "Bundle", name: str, access: Access, *, dry_run: bool, output: str
) -> None:
    """Bring a bundle's objects into a cluster, or show what that would change."""
    from abops.backup.configuration.cluster import bring_objects, objects_of, plan
    from abops.clients.kubectl import open_cluster
    from abops.kernel.clock import SystemClock

    wanted = objects_of(bundle, access.namespaces or ())
    if not wanted:
        raise UsageError(
            f"{name} holds no object of a cluster",
            hint="`abops backup config save --kubeconfig FILE` puts them into a bundle.",
        )
    with open_cluster(access.program, access.kubeconfig) as cluster:
        if dry_run:
            _show_plan(asyncio.run(plan(cluster, wanted)), output)
            return
        done = asyncio.run(bring_objects(cluster, wanted, SystemClock()))
    show([{"object": one.what, "state": one.state} for one in done], output)


def _show_plan(told: "Plan", output: str) -> None:
    import secrets

    from abops.backup.configuration.compare import differences

    found = differences(told.before, told.after, secrets.token_bytes(16))
    show([msgspec.structs.asdict(one) for one in found], output, columns=DIFFERENCES)
    if told.waiting:
        click.echo(
            f"{len(told.waiting)} objects cannot be judged by the server before their namespace"
            " or definition is there.",
            err=True,
        )
