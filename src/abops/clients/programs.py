"""Programs that are called for one answer, with a deadline, and leave nothing behind."""

import asyncio
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

TIMED_OUT: Final = -1


class Ended(Struct, frozen=True):
    """How a program ended: its code, what it printed, what it complained of."""

    code: int
    output: bytes
    errors: str

    @property
    def timed_out(self) -> bool:
        """Tell whether it was ended at its deadline."""
        return self.code == TIMED_OUT


async def call(
    program: Path | str,
    *words: str,
    timeout_s: float,
    environment: Mapping[str, str] | None = None,
    given: bytes | None = None,
) -> Ended:
    """Run a program in a session of its own; at the deadline all of it is killed.

    `environment` is all that it sees; None: what we see, with messages in English. `given` is what
    it reads: for what must not stand in the list of processes. Raises OSError when it cannot be
    started.
    """
    process = await asyncio.create_subprocess_exec(
        program,
        *words,
        stdin=asyncio.subprocess.DEVNULL if given is None else asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        # It is called from anywhere, also from where its user may not look.
        cwd="/",
        env={**os.environ, "LC_ALL": "C"} if environment is None else dict(environment),
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(timeout_s):
            output, errors = await process.communicate(given)
    except TimeoutError:
        return Ended(TIMED_OUT, b"", f"no end within {timeout_s:g} s")
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return Ended(process.returncode or 0, output, errors.decode(errors="replace").strip())
