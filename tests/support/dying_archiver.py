"""An archiver that is killed where its first argument after the home says: HOME STEP."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from abops.backup.postgres.site import load_site
from abops.backup.wal.serve import serve
from abops.entry.cli.backup.home import open_home


def main(folder: str, step: str) -> None:
    def reached(now: str) -> None:
        if now == step:
            os.kill(os.getpid(), signal.SIGKILL)

    home = open_home(Path(folder))
    asyncio.run(serve(home, load_site(home), metrics_port=None, reached=reached))


if __name__ == "__main__":
    main(*sys.argv[1:])
