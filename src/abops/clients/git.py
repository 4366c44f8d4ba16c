"""A git repository as one stream: every branch and tag, read back before it counts."""

import asyncio
import os
import tempfile
from pathlib import Path
from typing import Final

from abops.kernel.errors import OpsError

DEADLINE_S: Final = 300.0


class GitError(OpsError):
    """A git repository cannot be copied."""

    hint = "Run `git fsck` in it; mend it, or copy it from another clone."


async def mirror_stream(repository: Path) -> bytes:
    """Return all of a repository as a bundle that `git clone` takes. Raises GitError.

    The repository is checked first, and the bundle after: a copy of something broken is none.
    """
    await _git(repository, "fsck", "--connectivity-only", "--no-dangling")
    # It holds what the repository holds, and lies beside no secret: a file may carry it.
    with tempfile.TemporaryDirectory(prefix="abops-git-") as folder:
        bundle = Path(folder) / "mirror.bundle"
        await _git(repository, "bundle", "create", "--quiet", str(bundle), "--all")
        await _git(repository, "bundle", "verify", "--quiet", str(bundle))
        return bundle.read_bytes()


async def _git(repository: Path, *words: str) -> None:
    # The owner of a checkout may be another user than the one who saves it.
    safe = ("-c", f"safe.directory={repository}")
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "HOME": "/"}
    try:
        process = await asyncio.create_subprocess_exec(
            "git",
            *safe,
            "-C",
            str(repository),
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
        )
    except OSError as error:
        raise GitError(f"git: {error.strerror}") from error
    try:
        async with asyncio.timeout(DEADLINE_S):
            _, told = await process.communicate()
    except TimeoutError as error:
        process.kill()
        await process.wait()
        raise GitError(f"{repository}: git {words[0]} took over {DEADLINE_S:.0f} s") from error
    if process.returncode != 0:
        said = told.decode(errors="replace").strip().splitlines()
        raise GitError(f"{repository}: git {words[0]}: {said[0] if said else 'failed'}")
