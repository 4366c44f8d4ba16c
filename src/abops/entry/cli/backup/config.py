"""The bundle of configuration and secrets: save, list, show, compare, bring back."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from abops.entry.cli.backup.cluster import Access, cluster_options, objects_of_cluster
from abops.entry.cli.backup.config_restore import restore
from abops.entry.cli.backup.home import home_option, open_home
from abops.entry.cli.output import output_option, show
from abops.kernel.errors import OpsError, UsageError

if TYPE_CHECKING:
    from abops.backup.configuration.manifests import Manifest
    from abops.backup.model import Home
    from abops.backup.service.configuration import ConfigurationService

_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False, exists=True)
_RENDERED = Path("infrastructure")


@click.group("config")
def group() -> None:
    """Configuration and secrets, sealed in every destination."""


group.add_command(restore)


@group.command("init-key")
@home_option
@click.option("--recipient", help="Public part of a key that was made elsewhere.")
@click.option(
    "--write-identity",
    "identity_file",
    type=_FILE,
    help="Write the key to a new file instead of showing it: for rehearsals.",
)
@click.option("--if-none", is_flag=True, help="Leave a key that is named already.")
def init_key(
    *, folder: Path | None, recipient: str | None, identity_file: Path | None, if_none: bool
) -> None:
    """Make the offline recovery key: shown once, typed back, only its public part is kept.

    Whoever has it opens every bundle, and nobody can make it again: keep it on paper or on a
    stick, away from this machine, in two places.
    """
    home = open_home(folder)
    from abops.backup.service.configuration import (
        begin_recovery_key,
        has_recovery_key,
        name_recovery_key,
    )

    if if_none and has_recovery_key(home):
        click.echo("Bundles are sealed for an offline key already.")
        return
    if recipient:
        name_recovery_key(home, recipient)
    else:
        secret, public = begin_recovery_key()
        if identity_file is not None:
            _write(identity_file, secret)
        else:
            _show_once(secret, public)
        name_recovery_key(home, public)
        recipient = public
    click.echo(f"Bundles are sealed for {recipient} from now on.")


@group.command("save")
@home_option
@click.option("--inventory", type=_FILE, default=Path("platform.yaml"), show_default=True)
@click.option("--rendered", type=_FOLDER, multiple=True, help="Folder with rendered files.")
@click.option("--git", "repositories", type=_FOLDER, multiple=True, help="Repository to mirror.")
@click.option("--no-git", is_flag=True, help="Leave the code out.")
@cluster_options
@output_option
def save(  # noqa: PLR0913, PLR0917 - what goes in
    folder: Path | None,
    inventory: Path,
    rendered: tuple[Path, ...],
    repositories: tuple[Path, ...],
    no_git: bool,  # noqa: FBT001 - a flag
    kubeconfig: Path | None,
    namespaces: tuple[str, ...],
    output: str,
) -> None:
    """Collect, seal and store a bundle in every destination, and read it back."""
    objects = objects_of_cluster(Access.of(kubeconfig, namespaces))
    others = _around(inventory, rendered, () if no_git else repositories or (Path(),), objects)
    service = _service(open_home(folder))
    saved = asyncio.run(service.save(others))
    rows = [
        {
            "destination": one.destination,
            "bundle": one.name,
            "bytes": one.size,
            "state": "failed" if one.error else "stored",
        }
        for one in saved
    ]
    show(rows, output)
    failed = [f"{one.destination}: {one.error}" for one in saved if one.error]
    if failed:
        raise OpsError("\n       ".join(failed), hint="The others have it; save again once mended.")


@group.command("list")
@home_option
@output_option
def list_(folder: Path | None, output: str) -> None:
    """List the bundles of every destination, the newest first."""
    service = _service(open_home(folder))
    found = asyncio.run(service.listed())
    rows = [
        {"destination": name, "bundle": one.name, "made": one.made.isoformat(), "bytes": one.size}
        for name, bundles in sorted(found.items())
        for one in bundles
    ]
    show(rows, output, columns=("destination", "bundle", "made", "bytes"))


@group.command("show")
@home_option
@click.argument("name", default="")
@click.option("--from", "destination", default="", metavar="DEST")
@click.option("--identity", type=_FILE, help="Key file; this machine's own without.")
@output_option
def show_(
    folder: Path | None, name: str, destination: str, identity: Path | None, output: str
) -> None:
    """Open a bundle and show what it holds: names, sizes, hashes, never values."""
    secret = _secret(identity)
    service = _service(open_home(folder))
    from abops.backup.service.configuration import summary

    _, bundle = asyncio.run(service.fetch(secret, destination=destination, name=name))
    show(summary(bundle), output)


@group.command("diff")
@home_option
@click.argument("name", default="")
@click.option("--from", "destination", default="", metavar="DEST")
@click.option("--identity", type=_FILE, help="Key file; this machine's own without.")
@click.option("--inventory", type=_FILE, default=Path("platform.yaml"), show_default=True)
@click.option("--rendered", type=_FOLDER, multiple=True, help="Folder with rendered files.")
@cluster_options
@output_option
def diff(  # noqa: PLR0913, PLR0917 - what is compared
    folder: Path | None,
    name: str,
    destination: str,
    identity: Path | None,
    inventory: Path,
    rendered: tuple[Path, ...],
    kubeconfig: Path | None,
    namespaces: tuple[str, ...],
    output: str,
) -> None:
    """Show what changed here since a bundle was made: keys and salted hashes, never values.

    The code is left out: its own history tells. So is the cluster without --kubeconfig; name the
    namespaces that were named when the bundle was saved.
    """
    secret = _secret(identity)
    others = _around(inventory, rendered, (), objects_of_cluster(Access.of(kubeconfig, namespaces)))
    left_out = ("git/",) if kubeconfig else ("git/", "kubernetes/")
    service = _service(open_home(folder))

    async def both() -> list[dict[str, object]]:
        import msgspec

        _, bundle = await service.fetch(secret, destination=destination, name=name)
        told = await service.differences(bundle, others)
        return [msgspec.structs.asdict(one) for one in told if not one.member.startswith(left_out)]

    rows = asyncio.run(both())
    show(rows, output, columns=("member", "key", "change", "before", "after"))


def _around(
    inventory: Path,
    rendered: tuple[Path, ...],
    repositories: tuple[Path, ...],
    objects: "tuple[Manifest, ...]",
) -> dict[str, bytes]:
    from abops.backup.configuration.collect import Sources, around

    if not inventory.is_file():
        raise UsageError(f"{inventory} is not there", hint="Name it with --inventory.")
    beside = inventory.parent / _RENDERED
    folders = rendered or ((beside,) if beside.is_dir() else ())
    sources: Sources = Sources(
        inventory=inventory, rendered=folders, repositories=repositories, objects=objects
    )
    return asyncio.run(around(sources))


def _service(home: "Home") -> "ConfigurationService":
    from abops.backup.service.configuration import ConfigurationService
    from abops.kernel.clock import SystemClock

    return ConfigurationService.of(home, SystemClock())


def _secret(identity: Path | None) -> str:
    from abops.backup.configuration.sealing import read_key

    return read_key(identity) if identity else ""


def _write(path: Path, secret: str) -> None:
    from abops.kernel.files import write_atomic

    if path.exists():
        raise UsageError(f"{path} is there already", hint="Choose a file that is not.")
    write_atomic(path, f"{secret}\n", mode=0o600)


def _show_once(secret: str, public: str) -> None:
    from abops.backup.service.configuration import is_same_key

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "the key is shown on a terminal only",
            hint="In a script: --recipient age1... of a key made elsewhere.",
        )
    click.echo("The offline recovery key, shown this once:\n")
    click.echo(f"    {secret}\n")
    click.pause("Write it down, then press any key: the screen is cleared.")
    click.clear()
    back = click.prompt("Type it back", hide_input=True)
    if not is_same_key(back, public):
        raise UsageError("that is another key", hint="Nothing was kept; begin again.")
