"""What is normal for one stream of alerts, and the moment it no longer is.

Alerts are counted in bins of ten seconds. The logarithm of the count makes a bin with ten alerts
more as remarkable on a quiet stream as a bin with ten times more on a busy one. A cumulative sum
notices what is unlikely; that alone would call every small burst on a silent stream a storm, so
the last minute must also be large, and large against what the stream has known for hours. In a
storm the stream learns slowly, or the storm would become the new normal.

Empty bins are not stepped through: what they do to the sums is known in closed form, so a stream
that was silent for a week costs as much as one that was silent for a minute.
"""

import math
from typing import Final

from msgspec import Struct

BINS_A_MINUTE: Final = 6


class StormSetting(Struct, frozen=True):
    """When it is a storm. One setting for every stream; each number has its reason."""

    bin_s: float = 10
    """Seconds a bin: the digest is a minute, so a storm is known well before the second message."""
    weight: float = 0.01
    """Share a bin has in the mean: a hundred bins, the last quarter of an hour."""
    storm_weight: float = 0.0005
    """The same in a storm: hours, so that only a level that stays becomes normal."""
    first_variance: float = 0.25
    """Variance of the logarithm before anything is known of a stream."""
    variance_floor: float = 0.05
    """Added to the variance: a stream without any must not alarm on one alert."""
    drift: float = 1.0
    """Deviations a bin may exceed the mean by without adding up."""
    alarm: float = 5.0
    """Sum of deviations beyond which it is unlikely to be chance."""
    floor: int = 20
    """Alerts a minute below which nothing is a storm: a person reads that many."""
    ratio: float = 100.0
    """Times the baseline the last minute must reach."""
    baseline_weight: float = 0.0003
    """Share a bin has in the baseline: about nine hours."""
    first_baseline: float = 1.0
    """Alerts a minute believed normal before anything is known: forgotten within a day."""
    quiet_bins: int = 18
    """Bins without alarm until a storm is over: three minutes."""


class Stream(Struct):
    """The memory of one stream. It changes with every bin and is JSON as it stands."""

    bin: int
    """The bin being filled, counted from the epoch."""
    count: int = 0
    """Alerts in it so far."""
    mean: float = -1.0
    """Mean of ln(1 + count). Below zero: no bin was seen."""
    variance: float = 0.0
    sum: float = 0.0
    """The cumulative sum of deviations."""
    baseline: float = 1.0
    """Alerts a minute that are normal."""
    last: list[int] = []
    """The five full bins before this one."""
    began_bin: int | None = None
    """The bin in which the storm that is running began. None: none is."""
    quiet: int = 0
    """Full bins since the alarm last held."""
    alerts: int = 0
    """Alerts of the storm that is running."""
    peak: int = 0
    """Most alerts in one of its minutes."""
    trigger: int = -1
    """Alerts in this bin at which the alarm holds. Below zero: to be computed."""


def minute(stream: Stream, at_bin: int | None = None) -> int:
    """Return the alerts of the minute up to a bin; None: the one being filled."""
    passed = 0 if at_bin is None else max(0, at_bin - stream.bin)
    if passed >= BINS_A_MINUTE:
        return 0
    return stream.count + sum(stream.last[passed - len(stream.last) :] if passed else stream.last)


def threshold(stream: Stream, setting: StormSetting) -> float:
    """Return the alerts a minute that a storm must reach on this stream."""
    return max(float(setting.floor), setting.ratio * stream.baseline)


def trigger(stream: Stream, setting: StormSetting) -> int:
    """Return the count of this bin from which on the alarm holds.

    Both conditions only become truer with another alert, so the storm is known with the alert
    that makes it one, not at the end of its bin.
    """
    if stream.mean < 0:
        return _first_trigger(setting)
    spread = math.sqrt(stream.variance + setting.variance_floor)
    level = stream.mean + (setting.alarm + setting.drift - stream.sum) * spread
    unlikely = math.floor(math.expm1(min(max(level, stream.mean), 50.0))) + 1
    large = math.ceil(threshold(stream, setting)) - sum(stream.last)
    return max(unlikely, large, 1)


def advance(stream: Stream, to_bin: int, setting: StormSetting) -> int | None:
    """Fill the bins up to `to_bin`. Return the bin in which a storm ended, if one did."""
    ended = None
    while stream.bin < to_bin:
        idle = stream.began_bin is None and not stream.count and not any(stream.last)
        if idle and stream.mean >= 0:
            _skip(stream, to_bin - stream.bin, setting)
            break
        if _close(stream, setting):
            ended = stream.bin
    return ended


def _first_trigger(setting: StormSetting) -> int:
    """Return the count at which even a first bin is a storm: unlikely against silence."""
    spread = math.sqrt(setting.first_variance + setting.variance_floor)
    unlikely = math.floor(math.expm1((setting.alarm + setting.drift) * spread)) + 1
    return max(unlikely, math.ceil(setting.ratio * setting.first_baseline), setting.floor)


def _close(stream: Stream, setting: StormSetting) -> bool:
    """Learn from a full bin and open the next. Say whether a storm ended with it."""
    x = math.log1p(stream.count)
    if stream.mean < 0:
        silent = stream.began_bin is not None
        stream.mean, stream.variance = (0.0 if silent else x), setting.first_variance
    gap = x - stream.mean
    spread = math.sqrt(stream.variance + setting.variance_floor)
    stream.sum = 0.0 if gap < 0 else max(0.0, stream.sum + gap / spread - setting.drift)
    total = minute(stream)
    holds = stream.sum > setting.alarm and total >= threshold(stream, setting)
    weight = setting.storm_weight if stream.began_bin is not None else setting.weight
    stream.mean += weight * gap
    stream.variance = (1 - weight) * (stream.variance + weight * gap * gap)
    ended = False
    if stream.began_bin is None:
        stream.baseline += setting.baseline_weight * (total - stream.baseline)
    else:
        stream.peak = max(stream.peak, total)
        stream.quiet = 0 if holds else stream.quiet + 1
        ended = stream.quiet >= setting.quiet_bins
    stream.last = [*stream.last[-(BINS_A_MINUTE - 2) :], stream.count]
    stream.bin, stream.count, stream.trigger = stream.bin + 1, 0, -1
    if ended:
        stream.began_bin = None
    return ended


def _skip(stream: Stream, bins: int, setting: StormSetting) -> None:
    """Learn from empty bins at once: the sum is nought, mean and variance decay."""
    kept = (1 - setting.weight) ** bins
    stream.variance = kept * (stream.variance + stream.mean**2 * (1 - kept))
    stream.mean *= kept
    stream.sum = 0.0
    stream.baseline *= (1 - setting.baseline_weight) ** bins
    stream.bin, stream.trigger = stream.bin + bins, -1
