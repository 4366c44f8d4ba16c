"""A Prometheus over a folder of history: it scrapes nothing and evaluates nothing."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mirakuru import HTTPExecutor
from msgspec import Struct

from abops.stack.ports import HOST
from abops.stack.tools import find_tool

READY_WITHIN_S: Final = 60
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class Replay(Struct, frozen=True):
    """A running Prometheus: its address and its process."""

    url: str
    pid: int

    def cpu_s(self) -> float:
        """Return the CPU seconds that it has used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS


@contextmanager
def replaying(data: Path) -> Iterator[Replay]:
    """Run a Prometheus over the blocks in `data` until the block ends."""
    port = _free_port()
    config = data.parent / "replay.yml"
    config.write_text("scrape_configs: []\n")
    command = [
        *(str(find_tool("prometheus")), f"--config.file={config}"),
        *(f"--storage.tsdb.path={data}", "--storage.tsdb.retention.time=400d"),
        "--storage.tsdb.allow-overlapping-blocks",
        *(f"--web.listen-address={HOST}:{port}", "--log.level=error"),
    ]
    url = f"http://{HOST}:{port}"
    executor = HTTPExecutor(command, url=f"{url}/-/ready", timeout=READY_WITHIN_S)
    with executor:
        process = executor.process
        if process is None:  # mirakuru's type allows it; a started executor has one
            raise RuntimeError
        yield Replay(url, process.pid)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
