"""promtool and amtool: the judges of rules, configurations and their tests."""

import os
import subprocess
from pathlib import Path

from abops.kernel.errors import OpsError

_SELDOM_COLLECTED = {"GOGC": "400"}
"""Each test has a store of its own, thrown away at its end: collecting garbage as usual takes a
third of promtool's time."""


class VerdictError(OpsError):
    """promtool or amtool refused a file."""

    hint = "The lines above name the file and the reason; change the catalogue, then abops render."


class Judge:
    """One of the two programs, by its path."""

    def __init__(self, program: Path) -> None:
        self._program = program

    def check(self, *arguments: str, cwd: Path | None = None) -> str:
        """Run the program and return what it said. Raises VerdictError with its output."""
        done = self._run(arguments, cwd)
        if done.returncode != 0:
            raise VerdictError(f"{self._program.name} {arguments[0]}: {done.stdout.strip()}")
        return done.stdout

    def opinion(self, *arguments: str, cwd: Path | None = None) -> str:
        """Run the program and return what it said, good or bad."""
        return self._run(arguments, cwd).stdout

    def _run(
        self, arguments: tuple[str, ...], cwd: Path | None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - our own arguments
            [self._program, *arguments],
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            env=_SELDOM_COLLECTED | os.environ,
        )
