"""Programs built from tools/go/<module>: versions and sums are committed there."""

import os
from pathlib import Path

from abops.stack.tools.lock import MODULES, GoProvider, Tool
from abops.stack.tools.providers.outcome import Provided, run


def build(tool: Tool, provider: GoProvider, tree: Path, go: Path) -> Provided:
    """Build each program with `go` into `tree`; the module's files are not touched."""
    del tool
    env = {**os.environ, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"}
    linker = f"-s -w -X {provider.stamp}" if provider.stamp else "-s -w"
    flags = ["-mod=readonly", "-trimpath", "-p", "2", "-ldflags", linker]
    if provider.tags:
        flags += ["-tags", provider.tags]
    tree.mkdir(parents=True)
    for program, package in provider.builds.items():
        command: list[str | Path] = [
            "nice",
            "-n",
            "5",
            go,
            "build",
            *flags,
            "-o",
            tree / program,
            package,
        ]
        run(command, cwd=MODULES / provider.module, env=env)
    return Provided({program: program for program in provider.builds})
