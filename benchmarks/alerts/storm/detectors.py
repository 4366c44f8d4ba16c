"""The detector of the alert service and its peers, all asked the same: when was it a storm?"""

import math
from collections import Counter
from typing import NamedTuple

from abops.alerts.storm.detect import StormBegan, StormDetector
from abops.alerts.storm.stream import StormSetting

BIN_S = 10
QUIET_BINS = 18
MINUTE = 6


class Run(NamedTuple):
    """One storm that was told: bins, the last one excluded, and the second it was known in."""

    first: int
    end: int
    told_at: int


def ours(times: list[int], setting: StormSetting | None = None) -> list[Run]:
    """Feed the production detector with each alert."""
    detector = StormDetector(setting)
    runs: list[Run] = []
    began = 0
    for at in times:
        for change in detector.observe(at, "production"):
            if isinstance(change, StormBegan):
                began = at
            else:
                runs.append(Run(began // BIN_S, int(change.at) // BIN_S, began))
    if detector.running():
        runs.append(Run(began // BIN_S, times[-1] // BIN_S + 1, began))
    return runs


def static(times: list[int], limit: int) -> list[Run]:
    """Alarm while the last six bins hold so many alerts."""
    counts, first = _bins(times)
    held, total = [], 0
    for i, count in enumerate(counts):
        total += count - (counts[i - MINUTE] if i >= MINUTE else 0)
        held.append(total >= limit)
    return _runs(held, first)


def cusum(times: list[int], alarm: float = 10.0, floor: int = 100) -> list[Run]:
    """Alarm on the cumulative sum of deviations and a fixed floor, without a baseline."""
    counts, first = _bins(times)
    mean, variance, total, minute = math.log1p(counts[0]), 0.25, 0.0, 0
    held = []
    for i, count in enumerate(counts):
        minute += count - (counts[i - MINUTE] if i >= MINUTE else 0)
        gap = math.log1p(count) - mean
        total = max(0.0, total + gap / math.sqrt(variance + 0.05) - 1) if gap >= 0 else 0.0
        held.append(total > alarm and minute >= floor)
        weight = 0.0005 if held[-1] else 0.01
        mean += weight * gap
        variance = (1 - weight) * (variance + weight * gap * gap)
    return _runs(held, first)


def _bins(times: list[int]) -> tuple[list[int], int]:
    """Return the alerts of each bin, empty ones too, and the number of the first."""
    counts = Counter(at // BIN_S for at in times)
    first = min(counts)
    return [counts.get(n, 0) for n in range(first, max(counts) + 1)], first


def _runs(held: list[bool], first: int) -> list[Run]:
    """Join alarmed bins with less than three quiet minutes between them, as ours does."""
    runs: list[Run] = []
    for i, alarmed in enumerate(held):
        if not alarmed:
            continue
        bin_ = first + i
        if runs and bin_ < runs[-1].end:
            runs[-1] = runs[-1]._replace(end=bin_ + QUIET_BINS + 1)
        else:
            runs.append(Run(bin_, bin_ + QUIET_BINS + 1, (bin_ + 1) * BIN_S))
    return runs
