"""Which part the alerts speak for.

A part has its own alerts. A service also has its instances: when all of them complain it is the
service, when one does it is that instance; the geometric mean tells these apart. A machine has
few kinds of alert of its own and counts double. Then callers hand over: what a part shows while
something it calls shows alerts of its own is mostly an echo. A part that was just changed keeps
more of it the fresher the change is, for the change explains it as well.
"""

from collections.abc import Mapping
from math import exp, log

from msgspec.structs import replace

from abops.alerts.rootcause.graph import Graph
from abops.alerts.rootcause.model import ChangeSeen, History, IncidentEvidence, Ranking
from abops.alerts.rootcause.weights import (
    SILENT,
    Change,
    Own,
    own_evidence,
    rarest,
    recent_changes,
)

MEMBER = 0.5
"""Added to each instance, so that one silent instance does not silence its service."""
MACHINE = 2.0
ECHO = 0.5
"""Weight of the callees' alerts, in never-seen alerts, that takes 63 % of a caller's."""
CALLEE_CHANGE = 0.5
"""What a change counts in a part that is silent itself, but called by one that is not."""


def by_alerts(evidence: IncidentEvidence, graph: Graph) -> Ranking:
    """Rank the parts by their alerts and changes."""
    own = own_evidence(evidence.alerts, evidence.history)
    began = min((o.first_at for o in own.values() if o.first_at is not None), default=None)
    changes = recent_changes(evidence.changes, evidence.history, began)
    own = _with_changes(own, changes, graph)
    level = {entity: _level(entity, own, graph) for entity in (*own, *graph.members)}
    scores, taken = _hand_over(level, own, graph, rarest(evidence.history))
    found = {entity: score for entity, score in scores.items() if score > 0}
    words = Words(evidence.history, own, graph, began, evidence.symptom)
    return Ranking(
        "alerts",
        found,
        {entity: words.of(entity, taken.get(entity, ())) for entity in found},
    )


def _with_changes(
    own: Mapping[str, Own], changes: Mapping[str, Change], graph: Graph
) -> dict[str, Own]:
    """Add changes where they matter: to a part with alerts, or below one."""
    parts = dict(own)
    below = graph.below(own)
    for entity, found in changes.items():
        if entity in below:
            parts[entity] = replace(
                own.get(entity, SILENT),
                change=found.change,
                fresh=found.fresh,
                change_weight=found.weight * (1.0 if entity in own else CALLEE_CHANGE),
            )
    return parts


def _weight(own: Own | None) -> float:
    return 0.0 if own is None else own.weight + own.change_weight


def _level(entity: str, own: Mapping[str, Own], graph: Graph) -> float:
    score = _weight(own.get(entity))
    members = graph.members.get(entity, ())
    if members:
        mean = exp(sum(log(_weight(own.get(m)) + MEMBER) for m in members) / len(members))
        score += len(members) * (mean - MEMBER)
    return score * (MACHINE if entity in graph.nodes else 1.0)


def _draw(entity: str, own: Mapping[str, Own], graph: Graph) -> float:
    """Return what draws the callers' evidence: its alerts, and those of an instance on average."""
    members = graph.members.get(entity, ())
    total = sum(_weight(own.get(member)) for member in members)
    return _weight(own.get(entity)) + total / max(1, len(members))


def _hand_over(
    level: Mapping[str, float], own: Mapping[str, Own], graph: Graph, unit: float
) -> tuple[dict[str, float], dict[str, tuple[str, ...]]]:
    """Let callers hand their evidence down to alerting callees; also say who handed to whom."""
    weights = {part: _draw(part, own, graph) for part in level}
    speaking = tuple(part for part in level if level[part] > 0)
    loud = graph.among(frozenset(speaking))
    scores = dict(level)
    taken: dict[str, tuple[str, ...]] = {}
    for part, later in loud.downwards(speaking, level):
        callees = {callee: weights[callee] for callee in later if weights[callee] > 0}
        below = sum(callees.values())
        if below <= 0:
            continue
        fresh = own.get(part, SILENT).fresh
        passed = scores[part] * (1 - exp(-below / (ECHO * unit))) * (1 - fresh)
        scores[part] -= passed
        for callee, weight in callees.items():
            scores[callee] += passed * weight / below
            taken[callee] = (*taken.get(callee, ()), part)
    return scores, taken


class Words:
    """Says in words what speaks for a part."""

    def __init__(
        self,
        history: History,
        own: Mapping[str, Own],
        graph: Graph,
        began: float | None,
        symptom: str,
    ) -> None:
        self._history = history
        self._own = own
        self._graph = graph
        self._began = began
        self._symptom = own.get(symptom)

    def of(self, entity: str, callers: tuple[str, ...]) -> tuple[str, ...]:
        """Return the reasons, the strongest first."""
        own = self._own.get(entity, SILENT)
        members = self._graph.members.get(entity, ())
        loud = sum(member in self._own for member in members)
        terms = []
        if own.change is not None:
            terms.append(self._change(own.change))
        if own.kinds:
            terms.append(self._alerts(own))
        if own.first_at is not None and own.first_at == self._began:
            terms.append(self._first())
        if loud:
            of = f"{loud} of its {len(members)} instances alert"
            terms.append(of if len(members) > 1 else "its only known instance alerts")
        if entity in self._graph.nodes and own.kinds:
            terms.append("it is a machine: what runs on it suffers with it")
        loud_callers = [c for c in callers if c in self._own and self._own[c].kinds]
        if loud_callers:
            terms.append(f"{_list(loud_callers)} {_call(loud_callers)} it and may only be its echo")
        return tuple(terms)

    def _alerts(self, own: Own) -> str:
        count = len(own.kinds)
        said = f"{count} alert{'s' if count > 1 else ''}: {_list(own.kinds)}"
        if self._history.incidents == 0:
            return said
        seen = self._history.seen.get((own.family, own.kinds[0]), 0)
        if seen == 0:
            return f"{said}; {own.kinds[0]} was never seen here before"
        share = 100 * seen / self._history.incidents
        return f"{said}; {own.kinds[0]} was seen here in {share:.0f} % of past incidents"

    def _first(self) -> str:
        first = self._symptom.first_at if self._symptom is not None else None
        if first is None or self._began is None or first <= self._began:
            return "first to fire"
        return f"first to fire, {_span(first - self._began)} before the symptom"

    def _change(self, change: ChangeSeen) -> str:
        verb = {"deploy": "deployed", "migration": "migrated"}.get(change.kind, "changed")
        before = 0.0 if self._began is None else self._began - change.at
        when = f"{_span(before)} before" if before > 0 else "as it began"
        return f"{verb} {when}" + (f" ({change.title})" if change.title else "")


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"  # noqa: PLR2004 - plain


def _call(callers: list[str]) -> str:
    return "calls" if len(callers) == 1 else "call"


def _list(names: tuple[str, ...] | list[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
