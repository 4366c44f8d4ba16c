"""Reading all series of a Prometheus, and writing history into blocks with promtool."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from abops.clients.loopback import Loopback
from abops.clients.promtool import Judge

PACE_OVER: Final = "5m"
_CHUNK: Final = 1 << 20


def all_series(url: str) -> list[tuple[dict[str, str], float, float]]:
    """Return labels, value, and growth a second of every series that is scraped now."""
    server = Loopback(url)
    every = '{__name__=~"[^:]+",__name__!~"ALERTS.*"}'
    now = server.get("/api/v1/query", query=every)["data"]["result"]
    before = server.get("/api/v1/query", query=f"{every} offset {PACE_OVER}")["data"]["result"]
    old = {_key(one["metric"]): float(one["value"][1]) for one in before}
    found = []
    for one in now:
        labels, value = one["metric"], float(one["value"][1])
        if not math.isfinite(value):
            continue
        counts = labels["__name__"].endswith(("_total", "_count", "_sum", "_bucket"))
        grown = (value - old.get(_key(labels), value)) / 300 if counts else 0.0
        found.append((labels, value, max(grown, 0.0)))
    return found


def _key(labels: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))


def write_blocks(promtool: Judge, lines: Iterable[str], text: Path, data: Path) -> None:
    """Turn OpenMetrics lines into blocks below `data`; `text` is a scratch file."""
    with text.open("w", buffering=_CHUNK) as file:
        file.writelines(lines)
    promtool.check(
        "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=24h", "--quiet",
        str(text), str(data),
    )  # fmt: skip
    text.unlink()
