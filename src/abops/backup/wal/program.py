"""Installing the program that PostgreSQL runs, under an interpreter that its user may run."""

import asyncio
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from abops.backup.model import Home
from abops.backup.wal import client
from abops.kernel.errors import OpsError
from abops.kernel.files import write_atomic

NAME: Final = "pgbackrest-wal"
_OTHERS: Final = ("/usr/bin/python3", "/usr/local/bin/python3")
_MOST: Final = 120
"""A first line may have 127 bytes."""


class InterpreterMissingError(OpsError):
    """There is no Python that the owner of the database may run."""

    hint = "Install Python 3.11 or newer at /usr/bin/python3."


async def install_client(home: Home) -> Path:
    """Write the program unless it is there already; run as the owner. Raises OpsError."""
    path = home.programs / NAME
    for interpreter in _interpreters():
        text = f"#!{interpreter} -IS\n{inspect.getsource(client)}"
        if path.is_file() and path.read_text() == text and await _runs(path):
            return path
        staged = path.with_name(f".{NAME}")
        try:
            write_atomic(staged, text, mode=0o755)
            if await _runs(staged):
                # A rename: PostgreSQL may be about to run the old one.
                staged.replace(path)
                return path
        except OSError as error:
            raise InterpreterMissingError(f"{path}: {error.strerror}") from error
        finally:
            staged.unlink(missing_ok=True)
    raise InterpreterMissingError


def _interpreters() -> Iterator[Path]:
    own = getattr(sys, "_base_executable", sys.executable)
    for word in (own, *_OTHERS):
        path = Path(word).resolve()
        if path.is_file() and len(str(path)) <= _MOST and " " not in str(path):
            yield path


async def _runs(program: Path) -> bool:
    """Tell whether it can be started: called with nothing it says how it is called."""
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            cwd="/",
        )
        _, said = await process.communicate()
    except OSError:
        return False
    return process.returncode == 1 and b"usage:" in said
