"""A program that Node runs: packages by a committed lock, which pins each by its sum.

No package's script runs on the way: what is installed is what was packed.
"""

import os
import shutil
from pathlib import Path

from abops.stack.tools.lock import NODE_PROJECTS, NpmProvider, Tool
from abops.stack.tools.providers.outcome import Provided, run

FILES = ("package.json", "package-lock.json")


def install(tool: Tool, provider: NpmProvider, tree: Path, node: Path, npm: Path) -> Provided:
    """Bring the packages into `tree` and write a starter for each program."""
    del tool
    tree.mkdir(parents=True)
    for name in FILES:
        shutil.copyfile(NODE_PROJECTS / provider.project / name, tree / name)
    env = {**os.environ, "NODE_ENV": "production"}
    run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=tree, env=env)
    for program, script in provider.programs.items():
        (tree / program).write_text(
            "#!/bin/sh\n"
            'here=$(dirname "$(readlink -f "$0")")\n'
            f'exec "{node}" "$here/{script}" "$@"\n'
        )
    return Provided({program: program for program in provider.programs})
