"""A real Prometheus whose past was written beforehand, so that a board has something to show.

`promtool` turns samples into blocks; Prometheus serves them and scrapes nothing.
"""

import math
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from abops.stack.tools import find_tool
from support.servers import Server, answers, free_port, running

Value = Callable[[float], float | None]
"""Takes seconds since 1970; None: no sample at that moment."""


@dataclass(frozen=True)
class Past:
    """One series, and what it was."""

    name: str
    value: Value
    labels: tuple[tuple[str, str], ...] = ()


def past(name: str, value: Value | float, **labels: str) -> Past:
    """Return a series; a number stands for a series that never changes."""
    of = value if callable(value) else (lambda _: float(value))
    return Past(name, of, tuple(sorted(labels.items())))


def write_past(
    folder: Path, series: Iterable[Past], *, start: float, end: float, step: float = 15
) -> None:
    """Write the series' samples into the database in `folder`."""
    by_name: dict[str, list[Past]] = {}
    for one in series:
        by_name.setdefault(one.name, []).append(one)
    lines = []
    for name, members in by_name.items():
        lines.append(f"# TYPE {name} unknown")
        for member in members:
            labels = ",".join(f'{key}="{value}"' for key, value in member.labels)
            count = math.floor((end - start) / step) + 1
            for moment in (start + index * step for index in range(count)):
                value = member.value(moment)
                if value is not None:
                    lines.append(f"{name}{{{labels}}} {value:.10g} {moment:.3f}")
    folder.mkdir(parents=True, exist_ok=True)
    text = folder.parent / f"{folder.name}.om"
    text.write_text("\n".join([*lines, "# EOF\n"]))
    made = ["tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=24h", text, folder]
    subprocess.run(
        [find_tool("promtool"), *made], check=True, capture_output=True, stdin=subprocess.DEVNULL
    )
    text.unlink()


@contextmanager
def start_prometheus(folder: Path, *, port: int | None = None) -> Iterator[Server]:
    """Run a Prometheus over the database in `folder`; it scrapes nothing."""
    port = port or free_port()
    config = folder.parent / f"{folder.name}.yml"
    config.write_text("scrape_configs: []\n")
    argv = [find_tool("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={folder}"]
    argv += [f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=400d"]
    url = f"http://127.0.0.1:{port}/-/ready"
    with running(
        argv, port=port, log=folder.parent / f"{folder.name}.log", ready=lambda: answers(url)
    ) as server:
        yield server
