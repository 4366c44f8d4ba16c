"""Where a command finds the home, and as whom it works there."""

import os
import pwd
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from abops.backup.model import Home

VARIABLE = "ABOPS_BACKUP_HOME"
SYSTEM_WIDE = Path("/etc/abops/backup")
F = TypeVar("F", bound=Callable[..., Any])


def home_option(command: F) -> F:
    """Add `--home DIR` to a command, as the keyword `folder`."""
    return click.option(
        "--home",
        "folder",
        type=click.Path(path_type=Path, file_okay=False),
        default=None,
        help=f"Folder of the protection.  [default: ${VARIABLE}, .stack/backup, {SYSTEM_WIDE}]",
    )(command)


def destinations_option(words: str) -> Callable[[F], F]:
    """Add `--to DEST`, which may be given more than once, as the keyword `names`."""
    return click.option("--to", "names", multiple=True, metavar="DEST", help=words)


def place_of(folder: Path | None) -> Path:
    """Return the folder that is meant, absolute; it need not be there."""
    if folder is not None:
        return folder.absolute()
    if os.environ.get(VARIABLE):
        return Path(os.environ[VARIABLE]).absolute()
    from abops.stack.layout import find_layout

    local = find_layout().state / "backup"
    return local.absolute() if local.is_dir() else SYSTEM_WIDE


def open_home(folder: Path | None) -> "Home":
    """Return the home, and go on as the owner of its files when we are root.

    Files that root made there would be closed to the engine, which runs as the owner.
    """
    from abops.backup.model import Home
    from abops.backup.postgres.site import NotProtectedError

    place = place_of(folder)
    try:
        owner = place.stat().st_uid
    except FileNotFoundError as error:
        raise NotProtectedError(f"{place} is not there") from error
    except PermissionError as error:
        raise NotProtectedError(
            f"{place} is closed to you", hint="Run it as the owner of the database, or as root."
        ) from error
    become(owner)
    if not os.access(place, os.R_OK | os.X_OK):
        raise NotProtectedError(
            f"{place} is closed to you", hint="Run it as the owner of the database, or as root."
        )
    return Home(place.resolve())


def become(uid: int) -> None:
    """Go on as this user when we are root; what is made from now on is his alone."""
    os.umask(0o077)
    if os.geteuid() != 0 or uid == 0:
        return
    user = pwd.getpwuid(uid)
    os.initgroups(user.pw_name, user.pw_gid)
    os.setgid(user.pw_gid)
    os.setuid(uid)
    os.environ["HOME"] = user.pw_dir
