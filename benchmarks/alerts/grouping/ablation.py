"""What the parts of the criterion are worth: the sweep with one thing changed at a time.

Run: python benchmarks/alerts/grouping/ablation.py [--data DIR] [--only WORD]
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from data import CONFIGURATIONS, Numbers, Seconds, Stream, path_of, read
from forest import links, share_of
from measure import area, macro
from run import DATA, GAPS, NO_DATA, TAUS, Judged, evidence_of, learned, swept

from abops.alerts.correlate import affinity
from abops.alerts.correlate.affinity import Affinity
from abops.alerts.correlate.topology import NODE

FOR_EVER = 1e12
COMMON = 1e-4
"""Share of the windows up to which a kind counts as rare."""


class Classes(NamedTuple):
    """What two alerts are compared by: their kind, or kind and host; and what speaks for it."""

    of_alert: Numbers
    evidence: Seconds
    reach: Seconds
    """Which part of the gap each pair may use, beside its evidence."""


Compare = Callable[[Affinity, Stream], Classes]


class Variant(NamedTuple):
    """The criterion with something else."""

    name: str
    compare: Compare
    learning: dict[str, Any]


def by_kind(known: Affinity, stream: Stream) -> Classes:
    """Compare as the service does."""
    evidence = evidence_of(known, stream)
    return Classes(stream.kinds, evidence, np.ones_like(evidence))


def with_host(same_host: float, *, other_host: float = 1.0) -> Compare:
    """Compare with the host as evidence; the same kind elsewhere may count less."""

    def compare(known: Affinity, stream: Stream) -> Classes:
        both, of_alert = np.unique(
            stream.kinds * len(stream.host_names) + stream.hosts, return_inverse=True
        )
        kinds, hosts = np.divmod(both, len(stream.host_names))
        evidence = evidence_of(known, stream)[kinds[:, None], kinds[None, :]]
        same_kind = kinds[:, None] == kinds[None, :]
        same = hosts[:, None] == hosts[None, :]
        evidence = np.where(same_kind & ~same, other_host, evidence)
        evidence = np.where(same & ~same_kind, np.maximum(evidence, same_host), evidence)
        return Classes(of_alert.astype(np.int64), evidence, np.ones_like(evidence))

    return compare


def by_rarity(power: float) -> Compare:
    """Let common kinds reach less far: the more there are of them, the more meet by chance."""

    def compare(known: Affinity, stream: Stream) -> Classes:
        seen = known.state()
        share = [seen["kinds"].get(k, 0.0) / seen["windows"] for k in stream.kind_names]
        reach = np.minimum(1.0, COMMON / np.maximum(share, 1e-9)) ** power
        evidence = evidence_of(known, stream)
        return Classes(stream.kinds, evidence, np.minimum(reach[:, None], reach[None, :]))

    return compare


VARIANTS = (
    Variant("as the service does", by_kind, {}),
    Variant("windows of 5 s", by_kind, {"WINDOW_S": 5.0, "GRIDS": (0.0, 2.5)}),
    Variant("windows of .25 s", by_kind, {"WINDOW_S": 0.25, "GRIDS": (0.0, 0.125)}),
    Variant("few sightings count in full", by_kind, {"SHRINK": 0.0}),
    Variant("few sightings count less", by_kind, {"SHRINK": 20.0}),
    Variant("nothing is forgotten", by_kind, {"HALF_LIFE_S": FOR_EVER}),
    Variant("same host as same machine", with_host(NODE), {}),
    Variant("same host as same service", with_host(1.0), {}),
    Variant("same kind elsewhere .6", with_host(-1.0, other_host=0.6), {}),
    Variant("rare kinds reach further", by_rarity(0.5), {}),
    Variant("rare kinds reach much further", by_rarity(1.0), {}),
)


def areas(train: Sequence[Stream], streams: Sequence[Stream], variant: Variant) -> list[float]:
    """Return the area without and with noise."""
    with patch.multiple(affinity, **variant.learning):
        known = learned(train)
        classes = [variant.compare(known, stream) for stream in streams]
    pairs = [
        links(stream.times, own.of_alert, GAPS[-1])
        for stream, own in zip(streams, classes, strict=True)
    ]
    judged: list[Judged] = []
    for tau in TAUS:
        shares = [share_of(own.evidence, tau) * own.reach for own in classes]
        judged += swept(streams, list(zip(pairs, shares, strict=True)), tau)
    views = [[j.attacks for j in judged], [j.everything for j in judged]]
    return [area([macro(instances) for instances in view]) for view in views]


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--only", default="", help="variants with this in their name")
    asked = parser.parse_args()
    there = [c for c in CONFIGURATIONS if path_of(asked.data, c, "val").is_file()]
    if not there:
        print("no data")
        return NO_DATA
    for configuration in there:
        train, streams = (read(path_of(asked.data, configuration, p)) for p in ("train", "val"))
        for variant in VARIANTS:
            if asked.only in variant.name:
                without, with_noise = areas(train, streams, variant)
                print(f"{configuration:14} {variant.name:32} {without:.4f}/{with_noise:.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
