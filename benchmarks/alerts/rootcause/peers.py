"""What others do, written again from their descriptions and run on the same cases.

PetShop's own baselines (arXiv 2311.04806): anomalies by median deviation above 5, traversal along
anomalous callees, correlation with the symptom ranked by p-value, CIRCA's regression on callees
with its adjustment; and PageRank that starts anew at anomalous nodes. For metrics without a graph
the 3-sigma score and BARO's. For alerts: who has most, who was first, and ours without rarity.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from math import inf, isfinite, log1p, sqrt
from statistics import fmean, median, pstdev

from data import Cloudbed, PetShop

from abops.alerts.rootcause.model import Sample, Series

ANOMALOUS = 5.0
SPREAD = 1.4826
"""Makes the median deviation comparable with a standard deviation."""
ROW = 2
"""PetShop's third row is the first one after the alarm."""
LEAST = 10
ADJUSTED = 3.0
Scores = dict[str, float]


def best(scores: Scores) -> list[str]:
    """Return the entities, the highest score first."""
    return sorted(scores, key=lambda entity: (-scores[entity], entity))


def median_deviations(case: PetShop) -> Scores:
    """Return the anomalous nodes at the first row where the symptom is anomalous."""
    every = {
        node: _deviations(case.normal[node, metric], case.issue.get((node, metric), ()))
        for node, metric in case.normal
        if metric == case.metric
    }
    symptom = every.get(case.symptom, [])
    row = next((i for i in range(ROW, len(symptom)) if symptom[i] is not None), None)
    if row is None:
        return {}
    found = {node: deviations[row] for node, deviations in every.items() if deviations}
    return {node: deviation for node, deviation in found.items() if deviation is not None}


def _deviations(normal: tuple[Sample, ...], issue: tuple[Sample, ...]) -> list[Sample]:
    """Return the deviation of every row that is anomalous, None of the others."""
    known = [value for value in normal if value is not None]
    if len(known) < LEAST:
        return []
    if pstdev(known) == 0:
        # A constant series: any difference counts.
        differences = [None if value is None else abs(value - known[0]) for value in issue]
        return [difference or None for difference in differences]
    middle = median(known)
    width = SPREAD * median(abs(value - middle) for value in known)
    ratios = [None if value is None else _ratio(abs(value - middle), width) for value in issue]
    return [ratio if ratio is not None and ratio > ANOMALOUS else None for ratio in ratios]


def _ratio(difference: float, width: float) -> float:
    if width > 0:
        return difference / width
    return inf if difference > 0 else 0.0


def traversal(case: PetShop) -> list[str]:
    """Anomalous nodes without anomalous callee that reach the symptom through anomalous ones."""
    anomalous = median_deviations(case)
    callees: dict[str, list[str]] = {}
    for edge in case.edges:
        callees.setdefault(edge.source, []).append(edge.target)
    found: Scores = {}

    def descend(node: str, path: tuple[str, ...]) -> None:
        below = [c for c in callees.get(node, ()) if c in anomalous and c not in path]
        if not below:
            found[node] = max(found.get(node, -inf), sum(anomalous[n] for n in path))
        for callee in below:
            descend(callee, (*path, callee))

    if case.symptom in anomalous:
        descend(case.symptom, (case.symptom,))
    return best(found)


def ranked_correlation(case: PetShop) -> list[str]:
    """Anomalous nodes by the p-value of their correlation with the symptom."""
    symptom = case.issue[case.symptom, case.metric]
    found = {}
    for node in median_deviations(case):
        pairs = [
            (x, y)
            for x, y in zip(case.issue[node, case.metric], symptom, strict=True)
            if x is not None and y is not None
        ]
        if node != case.symptom and len(pairs) > 1:
            p = _p_value(pairs)
            if p is not None:
                found[node] = -p
    return best(found)


def _p_value(pairs: list[tuple[float, float]]) -> float | None:
    """Return the two-sided p-value of Pearson's r, by the beta distribution on few points."""
    xs, ys = zip(*pairs, strict=True)
    dx, dy = [x - fmean(xs) for x in xs], [y - fmean(ys) for y in ys]
    spread = sqrt(sum(d * d for d in dx) * sum(d * d for d in dy))
    if spread == 0:
        return None
    r = sum(a * b for a, b in zip(dx, dy, strict=True)) / spread
    if len(pairs) == 2:  # noqa: PLR2004 - any two points lie on a line
        return 1.0
    power = len(pairs) / 2 - 2
    steps = 20_000
    density = [(1 - ((i + 0.5) / steps) ** 2) ** power for i in range(steps)]
    return sum(density[int(min(abs(r), 1) * steps) :]) / sum(density)


def page_rank(case: PetShop, damping: float = 0.85) -> list[str]:
    """PageRank from callers to callees that starts anew at anomalous nodes, by deviation."""
    anomalous = median_deviations(case)
    if not anomalous:
        return []
    start = {n: log1p(s) if isfinite(s) else log1p(1e3) for n, s in anomalous.items()}
    total = sum(start.values())
    callees: dict[str, list[str]] = {}
    for edge in case.edges:
        callees.setdefault(edge.source, []).append(edge.target)
    rank = {n: s / total for n, s in start.items()}
    for _ in range(100):
        following = Counter({n: (1 - damping) * s / total for n, s in start.items()})
        for node, mass in rank.items():
            to = callees.get(node)
            if to:
                following.update(dict.fromkeys(to, damping * mass / len(to)))
            else:
                following.update({n: damping * mass * s / total for n, s in start.items()})
        rank = dict(following)
    return best(rank)


def circa(case: PetShop) -> list[str]:
    """Regress each node on its callees; rank by the surprise, adjusted by silent callers."""
    columns = {
        node
        for node, metric in case.normal
        if metric == case.metric and _any(case.normal[node, metric])
        if _any(case.issue.get((node, metric), ())[case.after :])
    }
    causes = _without_missing(case, columns)
    normal = {n: _filled(case.normal[n, case.metric]) for n in columns}
    issue = {n: _filled(case.issue[n, case.metric][case.after :]) for n in columns}
    scores = {node: _surprise(node, sorted(causes[node]), normal, issue) for node in columns}
    effects = {n: {m for m in columns if n in causes[m]} for n in columns}
    seen: dict[str, set[str]] = {}

    def reach(node: str) -> set[str]:
        if node not in seen:
            seen[node] = set()
            found = set(effects[node])
            for effect in effects[node]:
                if scores[effect] < ADJUSTED:
                    found |= reach(effect)
            seen[node] = found
        return seen[node]

    adjusted = {
        node: score + max((scores[e] for e in reach(node)), default=0.0)
        if score > ADJUSTED
        else score
        for node, score in scores.items()
    }
    return best(adjusted)


def _without_missing(case: PetShop, columns: set[str]) -> dict[str, set[str]]:
    """Return the callees of every column; what has no data is skipped over."""
    causes: dict[str, set[str]] = {node: set() for node in columns}
    for edge in case.edges:
        causes.setdefault(edge.source, set()).add(edge.target)
        causes.setdefault(edge.target, set())
    for node in [node for node in causes if node not in columns]:
        through = causes.pop(node)
        for callees in causes.values():
            if node in callees:
                callees.discard(node)
                callees.update(through)
    return causes


def _surprise(
    node: str,
    callees: list[str],
    normal: Mapping[str, list[float]],
    issue: Mapping[str, list[float]],
) -> float:
    fit = _least_squares([normal[c] for c in callees], normal[node])
    usual = _residuals(fit, [normal[c] for c in callees], normal[node])
    now = _residuals(fit, [issue[c] for c in callees], issue[node])
    middle, width = fmean(usual), pstdev(usual) or 1.0
    return max(abs(value - middle) / width for value in now)


def _least_squares(xs: list[list[float]], y: list[float]) -> list[float]:
    """Solve the normal equations of centred data; columns that add nothing get no weight."""
    n = len(xs)
    dx = [[value - fmean(x) for value in x] for x in xs]
    dy = [value - fmean(y) for value in y]
    rows = [
        [sum(a * b for a, b in zip(dx[i], dx[j], strict=True)) for j in range(n)]
        + [sum(a * b for a, b in zip(dx[i], dy, strict=True))]
        for i in range(n)
    ]
    scale = max((rows[i][i] for i in range(n)), default=1.0) or 1.0
    weights = [0.0] * n
    solved = []
    for column in range(n):
        free = [r for r in range(n) if r not in solved]
        pivot = max(free, key=lambda r: abs(rows[r][column]))
        if abs(rows[pivot][column]) < 1e-9 * scale:
            continue
        solved.append(pivot)
        rows[pivot] = [value / rows[pivot][column] for value in rows[pivot]]
        for r in range(n):
            if r != pivot:
                factor = rows[r][column]
                rows[r] = [a - factor * b for a, b in zip(rows[r], rows[pivot], strict=True)]
        weights[column] = float(pivot) + 1
    return [rows[int(w) - 1][n] if w else 0.0 for w in weights]


def _residuals(fit: list[float], xs: list[list[float]], y: list[float]) -> list[float]:
    return [
        value - sum(w * x[i] for w, x in zip(fit, xs, strict=True)) for i, value in enumerate(y)
    ]


def _any(values: tuple[Sample, ...]) -> bool:
    return any(value is not None for value in values)


def _filled(values: tuple[Sample, ...]) -> list[float]:
    mean = fmean(value for value in values if value is not None)
    return [mean if value is None else value for value in values]


def n_sigma(series: Series) -> float:
    """Return the highest value in standard deviations above the mean."""
    known = [value for value in series.normal if value is not None]
    middle, width = fmean(known), pstdev(known) or 1.0
    return max((value - middle) / width for value in series.during if value is not None)


def baro(series: Series) -> float:
    """Return the highest value in widths of the middle half above the median."""
    known = sorted(value for value in series.normal if value is not None)
    low, middle, high = (_quantile(known, share) for share in (0.25, 0.5, 0.75))
    width = (high - low) or 1.0
    return max((value - middle) / width for value in series.during if value is not None)


def _quantile(ordered: list[float], share: float) -> float:
    place = (len(ordered) - 1) * share
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def by_metric(series: tuple[Series, ...], score: Callable[[Series], float]) -> list[str]:
    """Rank services by their metric with the highest score."""
    found: Scores = {}
    for one in series:
        found[one.entity] = max(found.get(one.entity, -inf), score(one))
    return best(found)


def most_alerts(fault: Cloudbed) -> list[str]:
    """The entity with most rows first."""
    return best({e: float(n) for e, n in Counter(entity for entity, _ in fault.rows).items()})


def earliest_alert(fault: Cloudbed) -> list[str]:
    """The entity whose first alert was the earliest."""
    first: Scores = {}
    for entity, at in fault.rows:
        if at is not None:
            first[entity] = max(first.get(entity, -inf), -at)
    return best(first)


def most_kinds(fault: Cloudbed) -> list[str]:
    """The entity with most kinds of alert: a plain count, every kind once."""
    kinds = Counter(entity for entity, _ in {(a.entity, a.kind) for a in fault.alerts})
    return best({entity: float(n) for entity, n in kinds.items()})
