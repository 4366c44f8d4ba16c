"""Which metric stands out most when nobody knows who calls whom.

How far the worst value is above the median of normal, in widths of the middle half of normal
(as the scorer of BARO does, arXiv 2405.09330). Median and width stay what they are when up to a
quarter of the "normal" values already belong to the incident; where it began earlier than that,
`change_point` finds out first.
"""

from collections.abc import Iterable

from abops.alerts.rootcause.model import Ranking, Series

LIMIT = 3.0
"""Widths above the median that noise reaches; what stays below is no finding. The normal
distribution exceeds it once in 40,000 values."""


def quantile(ordered: list[float], share: float) -> float:
    """Return the quantile of ascending values, between two of them by their distance."""
    place = (len(ordered) - 1) * share
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def robust_z(series: Series) -> float:
    """Return (worst - median) / width of the middle half. A width of zero counts as one."""
    sign = -1.0 if series.worse == "down" else 1.0
    normal = sorted(sign * value for value in series.normal if value is not None)
    during = [sign * value for value in series.during if value is not None]
    if not normal or not during:
        return 0.0
    width = quantile(normal, 0.75) - quantile(normal, 0.25)
    return (max(during) - quantile(normal, 0.5)) / (width or 1.0)


def standing_out(metrics: Iterable[Series]) -> Ranking:
    """Rank the parts by the metric of each that stands out most."""
    best: dict[str, tuple[float, str]] = {}
    for series in metrics:
        z = robust_z(series)
        if z > LIMIT and z > best.get(series.entity, (0.0, ""))[0]:
            best[series.entity] = (z, series.metric)
    return Ranking(
        "robust z",
        {entity: z for entity, (z, _) in best.items()},
        {
            entity: (f"its {metric} went {z:.0f} times its usual spread beyond normal",)
            for entity, (z, metric) in best.items()
        },
    )
