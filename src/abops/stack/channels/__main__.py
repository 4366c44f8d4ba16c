"""`python -m abops.stack.channels --config FILE`: run the channel servers until told to stop."""

import argparse
import asyncio
import sys
from pathlib import Path

from abops.kernel.errors import OpsError
from abops.kernel.logging import configure
from abops.stack.channels.config import load_config
from abops.stack.channels.server import ChannelServers


async def _serve(path: Path) -> None:
    await ChannelServers(load_config(path)).run()


def main() -> int:
    """Read the arguments, serve, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m abops.stack.channels", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="JSON file; see the reference")
    arguments = parser.parse_args()
    configure("channels")
    try:
        asyncio.run(_serve(arguments.config))
    except OpsError as error:
        sys.stderr.write(f"{error}\n{error.hint}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
