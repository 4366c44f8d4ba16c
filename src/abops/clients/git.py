"""A git repository as one stream: every branch and tag, read back before it counts."""

import os
import tempfile
from pathlib import Path
from typing import Final

from abops.clients.programs import call
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


def _in(repository: Path) -> tuple[str, ...]:
    # The owner of a checkout may be another user than the one who saves it.
    where = str(repository.absolute())
    return ("-c", f"safe.directory={where}", "-C", where)


async def _git(repository: Path, *words: str) -> None:
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "HOME": "/"}
    try:
        ended = await call(
            "git", *_in(repository), *words, timeout_s=DEADLINE_S, environment=environment
        )
    except OSError as error:
        raise GitError(f"git: {error.strerror}") from error
    if ended.timed_out:
        raise GitError(f"{repository}: git {words[0]} took over {DEADLINE_S:.0f} s")
    if ended.code != 0:
        said = ended.errors.splitlines()
        raise GitError(f"{repository}: git {words[0]}: {said[0] if said else 'failed'}")
