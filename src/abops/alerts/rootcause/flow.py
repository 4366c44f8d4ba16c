"""Following the excess of a symptom down the calls to where it comes from.

A slow database makes all its callers slow; the time itself is spent once, at the bottom. So each
part gets an excess: how far the metric is beyond normal, times the requests it touches. A walker
starts at the symptom. What a part has in excess of its callees is its own and stops there, the
rest goes on to the callees in proportion to theirs. A part whose worst moment would not stand
out on a normal day has no excess: noise must not lead the way.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from statistics import fmean, median

from msgspec import Struct

from abops.alerts.rootcause.graph import Graph
from abops.alerts.rootcause.model import Ranking, Sample, Series

WALKED = ("latency", "availability")
GATE = 0.95
"""Share of normal values that the worst one must exceed."""
SYMPTOM_STOPS = 0.3
"""What stops at the symptom counts less: there the trouble is seen, seldom where it begins."""
PASSED_BY = 0.02
"""Part of a visit that stays where the metric is out of range, even if callees explain it."""

APART = 0.1
"""Walkers that start at parts in trouble which the symptom does not reach: no graph is whole."""


class Excess(Struct, frozen=True):
    """How much of a metric is beyond normal in one part."""

    amount: float
    """Per bin: seconds of waiting, or failed requests."""
    out_of_range: bool


NOTHING = Excess(0.0, out_of_range=False)


def excess(series: Series, requests: Series | None) -> Excess:
    """Compare one part's metric with its normal; without requests every bin counts as one."""
    sign, unit = (-1.0, 100.0) if series.metric == "availability" else (1.0, 1.0)
    normal = sorted(sign * value for value in series.normal if value is not None)
    touched = _weights(requests, len(series.during))
    bins = [
        (sign * value, weight)
        for value, weight in zip(series.during, touched, strict=True)
        if value is not None
    ]
    if not normal or not bins:
        return NOTHING
    worst = max(value for value, _ in bins)
    if bisect_left(normal, worst) / len(normal) < GATE:
        return NOTHING
    middle = median(normal)
    amount = fmean((value - middle) * weight for value, weight in bins) / unit
    return Excess(max(0.0, amount), out_of_range=True)


def excesses(metrics: Iterable[Series], metric: str) -> dict[str, Excess]:
    """Return the excess of every part that has this metric."""
    metrics = tuple(metrics)
    requests = {series.entity: series for series in metrics if series.metric == "requests"}
    return {
        series.entity: excess(series, requests.get(series.entity))
        for series in metrics
        if series.metric == metric
    }


def walk(
    graph: Graph, found: Mapping[str, Excess], *, symptom: str = "", metric: str = "latency"
) -> Ranking:
    """Rank the parts by how much of the symptom comes to rest in each of them."""
    amounts = {part: own.amount for part, own in found.items() if own.amount > 0 or part == symptom}
    troubled = graph.among(amounts)
    visits = _starts(troubled, amounts, symptom)
    scores: dict[str, float] = {}
    terms: dict[str, tuple[str, ...]] = {}
    for part, later in troubled.downwards(tuple(visits), amounts):
        callees = {callee: amounts[callee] for callee in later if amounts[callee] > 0}
        below, visit = sum(callees.values()), visits.get(part, 0.0)
        stops = max(0.0, amounts[part] - below) * (SYMPTOM_STOPS if part == symptom else 1.0)
        share = stops / (stops + below) if stops + below > 0 else 0.0
        for callee, amount in callees.items():
            visits[callee] = visits.get(callee, 0.0) + visit * (1 - share) * amount / below
        score = visit * share + (PASSED_BY * visit if found[part].out_of_range else 0.0)
        if score > 0:
            scores[part] = score
            terms[part] = (_explains(metric, visit * share),)
    return Ranking(f"{metric} walk", scores, terms)


def _starts(graph: Graph, amounts: Mapping[str, float], symptom: str) -> dict[str, float]:
    """Return where walkers start: at the symptom, and a few where no known call leads."""
    if not symptom:
        return _entries(graph, amounts)
    reached = graph.below((symptom,))
    apart = _entries(graph, {part: e for part, e in amounts.items() if part not in reached})
    if not apart:
        return {symptom: 1.0}
    return {symptom: 1 - APART} | {part: APART * share for part, share in apart.items()}


def _entries(graph: Graph, amounts: Mapping[str, float]) -> dict[str, float]:
    """Return the parts with an excess that no caller with an excess explains."""
    called = {callee for part in amounts for callee in graph.calls.get(part, ())}
    entries = {part: e for part, e in amounts.items() if part not in called} or amounts
    total = sum(entries.values())
    return {part: amount / total for part, amount in entries.items()}


def _weights(requests: Series | None, bins: int) -> tuple[float, ...]:
    if requests is None:
        return (1.0,) * bins
    return tuple(_or_zero(value) for value in (*requests.during, *(None,) * bins)[:bins])


def _or_zero(value: Sample) -> float:
    return 0.0 if value is None else value


def _explains(metric: str, share: float) -> str:
    if share < 0.005:  # noqa: PLR2004 - what would be shown as 0 %
        return f"its {metric} is out of its normal range, explained by what it calls"
    what = "latency excess explains" if metric == "latency" else "failed requests explain"
    return f"its {what} {100 * share:.0f} % of the symptom"
