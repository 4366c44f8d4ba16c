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
from run import DATA, GAPS, NO_DATA, RARE_S, TAUS, Judged, evidence_of, learned, reach_of, swept

from abops.alerts.correlate import affinity
from abops.alerts.correlate.affinity import Affinity
from abops.alerts.correlate.topology import NODE

FOR_EVER = 1e12


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
        reach = reach_of(known, stream, RARE_S)[kinds[:, None], kinds[None, :]]
        return Classes(of_alert.astype(np.int64), evidence, reach)

    return compare


def by_rarity(rare_s: float) -> Compare:
    """Compare with another idea of what is rare; 0: all kinds reach the same."""

    def compare(known: Affinity, stream: Stream) -> Classes:
        return Classes(stream.kinds, evidence_of(known, stream), reach_of(known, stream, rare_s))

    return compare


VARIANTS = (
    Variant("as the service does", by_rarity(RARE_S), {}),
    Variant("windows of 5 s", by_rarity(RARE_S), {"WINDOW_S": 5.0, "GRIDS": (0.0, 2.5)}),
    Variant("windows of .25 s", by_rarity(RARE_S), {"WINDOW_S": 0.25, "GRIDS": (0.0, 0.125)}),
    Variant("few sightings count in full", by_rarity(RARE_S), {"SHRINK": 0.0}),
    Variant("few sightings count less", by_rarity(RARE_S), {"SHRINK": 20.0}),
    Variant("nothing is forgotten", by_rarity(RARE_S), {"HALF_LIFE_S": FOR_EVER}),
    Variant("same host as same machine", with_host(NODE), {}),
    Variant("same host as same service", with_host(1.0), {}),
    Variant("same kind elsewhere .6", with_host(-1.0, other_host=0.6), {}),
    Variant("all kinds reach the same", by_rarity(0.0), {}),
    Variant("rare is once an hour", by_rarity(3_600.0), {}),
    Variant("rare is once a day", by_rarity(86_400.0), {}),
)


def areas(train: Sequence[Stream], streams: Sequence[Stream], variant: Variant) -> list[float]:
    """Return the area without and with noise."""
    with patch.multiple(affinity, **({"WINDOW_S": affinity.WINDOW_S} | variant.learning)):
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
