"""The alert streams of the networks, as buckets of one minute, one kind and one host."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import zstandard

FOLDS = (("harrison", "santos"), ("shaw", "wardbeck"), ("wheeler", "wilson"))
EXFILTRATION = ("A-Dns-Val1", "A-Dns-Frq", "A-Aud-Com4")
"""`dnsteal` runs all day; of the alerts in that time only these kinds are of it."""
MINUTE = 60


class Bucket(NamedTuple):
    """What came in one minute of one kind from one host."""

    at: int
    kind: str
    host: str
    count: int
    actionable: bool


def read(path: Path) -> tuple[list[Bucket], int]:
    """Return the buckets of one network in the order of time, and the rows they are made of."""
    counts: dict[tuple[int, str, str], list[int]] = {}
    rows = 0
    for at, kind, host, attack in _rows(path):
        rows += 1
        bucket = counts.setdefault((at // MINUTE * MINUTE, kind, host), [0, 0])
        bucket[0] += 1
        bucket[1] |= attack
    return [Bucket(*key, n, bool(attack)) for key, (n, attack) in sorted(counts.items())], rows


def _rows(path: Path) -> Iterator[tuple[int, str, str, bool]]:
    with (
        path.open("rb") as packed,
        zstandard.ZstdDecompressor().stream_reader(packed) as stream,
        io.TextIOWrapper(stream, encoding="utf-8", newline="") as text,
    ):
        rows = csv.reader(text)
        header = next(rows)
        time, kind, host, step = (
            header.index(name) for name in ("time", "short", "host", "event_label")
        )
        for row in rows:
            told = row[step]
            attack = told != "-" and (told != "dnsteal" or row[kind] in EXFILTRATION)
            yield int(row[time]), row[kind], row[host], attack


def networks(folder: Path, names: tuple[str, ...]) -> dict[str, tuple[list[Bucket], int]]:
    """Read the networks that are there."""
    paths = {name: folder / f"aitads_{name}.csv.zst" for name in names}
    return {name: read(path) for name, path in paths.items() if path.is_file()}
