"""From a part's value to a running process."""

import os
import pwd
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from abops.kernel.errors import OpsError
from abops.stack.layout import Layout
from abops.stack.part import Part, Tool
from abops.stack.processes import MARK, MARK_PART
from abops.stack.tools import find_tool

ABOPS: Final = Path(sys.executable).with_name("abops")
"""Our own program, beside the interpreter that runs this."""
POSTGRES_USER = "postgres"
KEPT = ("PATH", "HOME", "TZ", "TMPDIR", "ABOPS_TOOLS_DIR", "XDG_CACHE_HOME")
"""What a part inherits; the last two say where the tools are."""


class ServerUserMissingError(OpsError):
    """PostgreSQL refuses to run as root, and this machine has no user postgres."""

    hint = "Create it (`useradd --system postgres`), or run the stack as an ordinary user."


class ProgramError(OpsError):
    """A program of the stack could not be started."""

    hint = "See `abops tools doctor`."


def resolve(argv: Sequence[str | Tool]) -> list[str]:
    """Return the command with every tool replaced by its path."""
    return [_path(word) if isinstance(word, Tool) else word for word in argv]


def _path(tool: Tool) -> str:
    program = find_tool(tool.name)
    # A link on PATH does not have the siblings of what it points to.
    return str(program.resolve().with_name(tool.sibling) if tool.sibling else program)


def drops_root() -> bool:
    """Tell whether PostgreSQL's programs need another user than ours."""
    return os.geteuid() == 0


def postgres_prefix() -> list[str]:
    """Return the words that turn a command into one of the user postgres.

    setpriv becomes the command, so the process id is the server's own; su and runuser stay
    in between as its parent.
    """
    if not drops_root():
        return []
    try:
        pwd.getpwnam(POSTGRES_USER)
    except KeyError as error:
        raise ServerUserMissingError from error
    return [
        "setpriv",
        f"--reuid={POSTGRES_USER}",
        f"--regid={POSTGRES_USER}",
        "--init-groups",
        "--",
    ]


def spawn(part: Part, layout: Layout) -> subprocess.Popen[bytes]:
    """Start the part's process, its output appended to its log, in a session of its own.

    Appending matters: the log is cut while the process writes, and its next line must land
    at the new end.
    """
    argv = [*(postgres_prefix() if part.as_postgres else []), *resolve(part.argv)]
    layout.logs.mkdir(parents=True, exist_ok=True)
    with layout.log(part.name).open("ab") as log:
        try:
            return subprocess.Popen(  # noqa: S603 - commands come from the declared parts
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=part.cwd or "/",
                env=environment(part, layout, os.environ),
                start_new_session=True,
            )
        except OSError as error:
            raise ProgramError(f"{part.name}: {argv[0]}: {error.strerror}") from error


def environment(part: Part, layout: Layout, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return what the part sees: little of ours, so that it starts the same everywhere.

    A proxy of the machine must not stand between parts that talk on the loopback.
    """
    kept = {name: inherited[name] for name in KEPT if name in inherited}
    return {
        **kept,
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        **part.env,
        MARK: layout.stack_id,
        MARK_PART: part.name,
    }
