"""The alert streams of the networks, when their floods were, and thinner copies of them."""

import csv
import io
import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import zstandard

FLOODS = ("dirb", "wpscan")
"""Scans that raise thousands of alerts a minute; all other attacks stay below a hundred."""
DAY_S = 86_400


class Network(NamedTuple):
    """The alerts of one network, in the order of time."""

    name: str
    times: list[int]
    floods: tuple[tuple[int, int], ...]
    """First and last second of each flood."""

    @property
    def days(self) -> float:
        """Return how long it was watched."""
        return (self.times[-1] - self.times[0]) / DAY_S


def read(path: Path) -> Network:
    """Return one network; the rows come unsorted."""
    times: list[int] = []
    spans: dict[str, tuple[int, int]] = {}
    for at, step in _rows(path):
        times.append(at)
        if step in FLOODS:
            first, last = spans.get(step, (at, at))
            spans[step] = min(first, at), max(last, at)
    times.sort()
    name = path.name.removeprefix("aitads_").removesuffix(".csv.zst")
    return Network(name, times, tuple(sorted(spans.values())))


def thinned(network: Network, keep: float) -> list[int]:
    """Return the times of a share of the alerts, drawn with seed 0."""
    if keep >= 1:
        return network.times
    draw = random.Random(0)  # noqa: S311 - the same draw in every run is the point
    return [at for at in network.times if draw.random() < keep]


def _rows(path: Path) -> Iterator[tuple[int, str]]:
    with (
        path.open("rb") as packed,
        zstandard.ZstdDecompressor().stream_reader(packed) as stream,
        io.TextIOWrapper(stream, encoding="utf-8", newline="") as text,
    ):
        rows = csv.reader(text)
        header = next(rows)
        time, step = header.index("time"), header.index("event_label")
        for row in rows:
            yield int(float(row[time])), row[step]
