"""What a provider answers, and how it runs other programs."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec


class PassedOverError(Exception):
    """This provider cannot work here; the message is the reason."""


class Provided(msgspec.Struct, frozen=True):
    """Programs by name. Relative paths lie in the tree that was prepared; absolute ones stay."""

    programs: dict[str, str]
    libraries: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    """Words before those of the caller; `{tree}` is the folder of the tree."""


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout_s: float = 1800,
) -> str:
    """Run a program and return its output; its failure becomes the reason to pass on."""
    try:
        done = subprocess.run(  # noqa: S603 - arguments come from tools.lock
            [str(part) for part in argv],
            cwd=cwd,
            env=dict(env) if env is not None else None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except FileNotFoundError as error:
        raise PassedOverError(f"{argv[0]} is not on this machine") from error
    except subprocess.TimeoutExpired as error:
        raise PassedOverError(f"{argv[0]} did not end within {timeout_s:.0f} s") from error
    if done.returncode != 0:
        raise PassedOverError(f"{Path(str(argv[0])).name} failed: {_last_words(done.stdout)}")
    return done.stdout


def _last_words(output: str) -> str:
    """Return the line that most likely tells the reason."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith(("e:", "error", "err:"))]
    return ((errors or lines or ["no output"])[-1])[:200]
