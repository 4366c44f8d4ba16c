"""The alert streams with their attacks: when, what kind, from which host, of which attack."""

import csv
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
import zstandard
from numpy.typing import NDArray

NOISE = "-"
CONFIGURATIONS = ("original", "simul-attacks")

Numbers = NDArray[np.int64]
Seconds = NDArray[np.float64]


class Stream(NamedTuple):
    """The alerts of one network in the order of time; kinds, hosts, labels as numbers."""

    name: str
    times: Seconds
    kinds: Numbers
    hosts: Numbers
    labels: Numbers
    """0 is noise."""
    kind_names: tuple[str, ...]
    host_names: tuple[str, ...]
    label_names: tuple[str, ...]


class _Numbered:
    """Names as numbers, in the order in which they first come."""

    def __init__(self, *known: str) -> None:
        self.names: dict[str, int] = {name: number for number, name in enumerate(known)}

    def __call__(self, name: str) -> int:
        return self.names.setdefault(name, len(self.names))


def path_of(folder: Path, configuration: str, part: str) -> Path:
    """Return where a part of a configuration lies."""
    return folder / f"aitads-a_{configuration}_{part}.csv.zst"


def read(path: Path) -> list[Stream]:
    """Return all streams of a file."""
    streams: dict[str, tuple[list[tuple[float, int, int, int]], tuple[_Numbered, ...]]] = {}
    with (
        path.open("rb") as packed,
        zstandard.ZstdDecompressor().stream_reader(packed) as unpacked,
        io.TextIOWrapper(unpacked, encoding="utf-8", newline="") as text,
    ):
        rows = csv.reader(text)
        header = next(rows)
        stream, time, kind, host, label = (
            header.index(name) for name in ("stream", "time", "kind", "host", "label")
        )
        for row in rows:
            known = streams.get(row[stream])
            if known is None:
                known = [], (_Numbered(), _Numbered(), _Numbered(NOISE))
                streams[row[stream]] = known
            found, (kinds, hosts, labels) = known
            found.append((float(row[time]), kinds(row[kind]), hosts(row[host]), labels(row[label])))
    return [_stream(name, found, names) for name, (found, names) in streams.items()]


def _stream(
    name: str, rows: list[tuple[float, int, int, int]], names: tuple[_Numbered, ...]
) -> Stream:
    table = np.asarray(rows, dtype=float)
    kinds, hosts, labels = (table[:, column].astype(np.int64) for column in (1, 2, 3))
    return Stream(name, table[:, 0], kinds, hosts, labels, *(tuple(n.names) for n in names))
