"""Do the alerts of an attack come together in one group, and nothing else with them?

Run: python benchmarks/alerts/grouping/run.py [--small] [--data DIR] [--split val]
[--output json]

Streams of alerts of simulated networks under attack, the attacks one after the other or all at
once. Ours is the criterion of the alert service with what it learned from other networks, without
labels; the peers are computed in the same run. A goal missed: exit 1. No data: exit 3.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import twin
from data import CONFIGURATIONS, Seconds, Stream, path_of, read
from forest import Links, grown, links, share_of
from measure import Counts, Instances, area, interval, macro

from abops.alerts.correlate.affinity import Affinity

ROOT = Path(__file__).parents[3]
DATA = Path(os.environ.get("ABOPS_BENCH_DATA", ROOT.parent / "shared/bench-data/alerts"))
NO_DATA = 3
GAPS = tuple(sorted([2.0**k for k in range(-7, 13)] + [1.5 * 2.0**k for k in range(-7, 12)]))
TAUS = (-20.0, -3.0, -1.0, 0.0, 0.2, 0.35, 0.5, 0.65, 0.8)
GOALS = {"original": (0.950, 0.980), "simul-attacks": (0.88, 0.94)}
RARE_S = 28_800.0
"""Kinds that come less often reach the whole gap (`Setting.rare_s`)."""
PAUSE_S = 3_600.0
"""Between two networks that are learned from one after the other."""


class Judged(NamedTuple):
    """One setting: how well each attack was grouped, among attacks and among all alerts."""

    tau: float
    gap_s: float
    attacks: Instances
    everything: Instances
    groups: int


class Result(NamedTuple):
    """What one method reached on one configuration; first without noise, then with it."""

    configuration: str
    method: str
    areas: tuple[float, float]
    intervals: tuple[tuple[float, float], tuple[float, float]]
    by_tau: tuple[tuple[float, float, float], ...]
    cpu_s: float
    alerts: int
    settings: int


def learned(streams: Iterable[Stream]) -> Affinity:
    """Let the service learn from networks one after the other; labels are not looked at."""

    def alerts() -> Iterator[tuple[str, float]]:
        begun = 0.0
        for stream in streams:
            for kind, at in zip(stream.kinds.tolist(), stream.times.tolist(), strict=True):
                yield stream.kind_names[kind], begun + at
            begun += float(stream.times[-1]) + PAUSE_S

    return Affinity.learned_from(alerts())


def evidence_of(affinity: Affinity, stream: Stream) -> Seconds:
    """Return what speaks for joining each pair of kinds, as the correlator asks it."""
    names = stream.kind_names
    return np.array([[1.0 if a == b else affinity.between(a, b) for b in names] for a in names])


def reach_of(affinity: Affinity, stream: Stream, rare_s: float) -> Seconds:
    """Return which part of the gap each pair of kinds may use, as the correlator asks it."""
    each = np.array([affinity.rarity(kind, rare_s) for kind in stream.kind_names])
    of_pair: Seconds = np.minimum(each[:, None], each[None, :])
    return of_pair


def swept(
    streams: Sequence[Stream], paired: Sequence[tuple[Links, Seconds]], tau: float
) -> Iterator[Judged]:
    """Judge all gaps of one tau."""
    runs = []
    for stream, (pairs, share) in zip(streams, paired, strict=True):
        runs.append((Counts(stream), grown(pairs, pairs.distances(share), GAPS)))
    for gap_s in GAPS:
        attacks: Instances = {}
        everything: Instances = {}
        groups = 0
        for counts, steps in runs:
            counts.grow(next(steps))
            groups += counts.groups
            attacks |= counts.instances(noise=False)
            everything |= counts.instances(noise=True)
        yield Judged(tau, gap_s, attacks, everything, groups)


def ours(streams: Sequence[Stream], affinity: Affinity, rare_s: float) -> list[Judged]:
    """Sweep the criterion of the alert service."""
    found: list[Judged] = []
    pairs = [links(s.times, s.kinds, GAPS[-1]) for s in streams]
    evidence = [evidence_of(affinity, s) for s in streams]
    reach = [reach_of(affinity, s, rare_s) for s in streams]
    for tau in TAUS:
        shares = [share_of(e, tau) * r for e, r in zip(evidence, reach, strict=True)]
        found += swept(streams, list(zip(pairs, shares, strict=True)), tau)
    return found


def time_delta(streams: Sequence[Stream]) -> list[Judged]:
    """Peer: whatever follows within the gap belongs to it."""
    paired = [(links(s.times, np.zeros_like(s.kinds), GAPS[-1]), np.ones((1, 1))) for s in streams]
    return list(swept(streams, paired, float("-inf")))


def by_kind_and_host(streams: Sequence[Stream]) -> list[Judged]:
    """Peer: what follows within the gap and is of the same kind and host."""
    paired = []
    for stream in streams:
        classes = stream.kinds * len(stream.host_names) + stream.hosts
        paired.append((links(stream.times, classes, GAPS[-1]), np.eye(int(classes.max()) + 1)))
    return list(swept(streams, paired, float("inf")))


def result(
    configuration: str, method: str, judged: Sequence[Judged], cpu_s: float, alerts: int
) -> Result:
    """Put the settings of a method together."""
    views = [[j.attacks for j in judged], [j.everything for j in judged]]
    areas = [area([macro(i) for i in view]) for view in views]
    by_tau = []
    for tau in dict.fromkeys(j.tau for j in judged):
        own = [
            area([macro(i) for i, j in zip(view, judged, strict=True) if j.tau == tau])
            for view in views
        ]
        by_tau.append((tau, own[0], own[1]))
    low, high = (interval(view) for view in views)
    return Result(
        configuration,
        method,
        (areas[0], areas[1]),
        (low, high),
        tuple(by_tau),
        cpu_s,
        alerts,
        len(judged),
    )


def run(folder: Path, configuration: str, split: str, *, small: bool) -> list[Result]:
    """Judge all methods on one configuration."""
    train = read(path_of(folder, configuration, "train"))
    streams = read(path_of(folder, configuration, split))
    if small:
        streams = [min(streams, key=lambda stream: len(stream.times))]
    alerts = sum(len(s.times) for s in streams)
    attacks = sum(len(np.unique(s.labels[s.labels > 0])) for s in streams)
    print(
        f"{configuration}: {alerts:,} alerts in {len(streams)} streams,"
        f" {sum(int((s.labels == 0).sum()) for s in streams):,} of them noise, {attacks} attacks;"
        f" learned from {sum(len(s.times) for s in train):,}",
        file=sys.stderr,
    )
    begun = time.process_time()
    affinity = learned(train)
    learning = time.process_time() - begun
    twin.check(streams[-1], affinity, RARE_S)
    results = []
    methods: tuple[tuple[str, Callable[[], list[Judged]]], ...] = (
        ("ours", lambda: ours(streams, affinity, RARE_S)),
        ("ours, all kinds reach the same", lambda: ours(streams, affinity, 0.0)),
        ("time-delta", lambda: time_delta(streams)),
        ("time-delta by kind and host", lambda: by_kind_and_host(streams)),
    )
    for method, judge in methods:
        begun = time.process_time()
        judged = judge()
        spent = time.process_time() - begun + (learning if method.startswith("ours") else 0.0)
        results.append(result(configuration, method, judged, spent, alerts))
    return results


def show(results: Sequence[Result]) -> None:
    """Print the table for people."""
    print(f"{'AUC without / with noise (95 %)':46}{'settings':>9}{'CPU-s':>8}")
    for r in results:
        values = "   ".join(
            f"{value:.3f} ({low:.2f}-{high:.2f})"
            for value, (low, high) in zip(r.areas, r.intervals, strict=True)
        )
        print(f"{r.configuration:14} {r.method:31} {values}{r.settings:6}{r.cpu_s:8.1f}")
        if r.method.startswith("ours"):
            print("   by tau: " + ", ".join(f"{t:g} {a:.3f}/{b:.3f}" for t, a, b in r.by_tau))


def main() -> int:
    """Run the benchmark and say whether the goals were reached."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--split", default="val", help="part that is judged")
    parser.add_argument("--small", action="store_true", help="the shortest stream only")
    parser.add_argument("--output", choices=("table", "json"), default="table")
    asked = parser.parse_args()
    there = [
        c
        for c in CONFIGURATIONS
        if all(path_of(asked.data, c, part).is_file() for part in ("train", asked.split))
    ]
    if not there:
        print(
            f"No aitads-a_*_{asked.split}.csv.zst in {asked.data}; see the README.", file=sys.stderr
        )
        return NO_DATA
    results = [r for c in there for r in run(asked.data, c, asked.split, small=asked.small)]
    if asked.output == "json":
        print(json.dumps([r._asdict() for r in results]))
    else:
        show(results)
        print(f"{time.process_time():.0f} CPU-s in all")
    if asked.small or asked.split != "val":
        return 0
    missed = 0
    for r in (r for r in results if r.method == "ours"):
        reached = all(a >= goal for a, goal in zip(r.areas, GOALS[r.configuration], strict=True))
        missed += not reached
        goal = "/".join(f"{g:.3f}" for g in GOALS[r.configuration])
        print(
            f"goal {r.configuration} {goal}: {'reached' if reached else 'MISSED'}", file=sys.stderr
        )
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
