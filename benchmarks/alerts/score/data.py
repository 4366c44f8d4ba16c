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
PREFIX = "aitads_"
PATTERN = f"{PREFIX}*.csv.zst"
MINUTE = 60


class Bucket(NamedTuple):
    """What came in one minute of one kind from one host."""

    at: int
    kind: str
    host: str
    count: int
    actionable: bool


def read(path: Path) -> list[Bucket]:
    """Return the buckets of one network in the order of time."""
    counts: dict[tuple[int, str, str], list[int]] = {}
    for at, kind, host, attack in _rows(path):
        bucket = counts.setdefault((at // MINUTE * MINUTE, kind, host), [0, 0])
        bucket[0] += 1
        bucket[1] |= attack
    return [Bucket(*key, n, bool(attack)) for key, (n, attack) in sorted(counts.items())]


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


def networks(folder: Path) -> dict[str, list[Bucket]]:
    """Read every network of this layout that is there."""
    paths = {path.name.split(".")[0].removeprefix(PREFIX): path for path in folder.glob(PATTERN)}
    return {name: read(path) for name, path in sorted(paths.items())}
