"""The likely causes of an incident, by every method that has data.

Metrics and a call graph: the excess-flow walk. Metrics without a graph, or whose walk finds
nothing: what stands out most since it really began. Alerts: how much they tell. Whatever is
missing is said with the causes, so that nobody trusts a guess more than it deserves.
"""

from abops.alerts.rootcause.change_point import from_onset
from abops.alerts.rootcause.evidence import by_alerts
from abops.alerts.rootcause.flow import WALKED, excesses, walk
from abops.alerts.rootcause.fuse import fuse
from abops.alerts.rootcause.graph import Graph
from abops.alerts.rootcause.model import Cause, IncidentEvidence, Ranking
from abops.alerts.rootcause.robust import standing_out


def likely_causes(evidence: IncidentEvidence, *, most: int = 3) -> tuple[Cause, ...]:
    """Return the likeliest causes with their reasons, the best first; none if nothing speaks."""
    return ranked_causes(evidence)[:most]


def ranked_causes(evidence: IncidentEvidence) -> tuple[Cause, ...]:
    """Return every part that something speaks for, the likeliest first."""
    graph = Graph.of(evidence.edges)
    rankings = [*_by_metrics(evidence, graph), by_alerts(evidence, graph)]
    missing = _missing(evidence, graph, rankings)
    return tuple(
        Cause(
            fused.entity,
            round(fused.share, 4),
            tuple(term for ranking in rankings for term in ranking.terms.get(fused.entity, ())),
            missing,
        )
        for fused in fuse(rankings)
    )


def _by_metrics(evidence: IncidentEvidence, graph: Graph) -> list[Ranking]:
    if not evidence.metrics:
        return []
    walks = []
    if graph.calls:
        for metric in (evidence.symptom_metric,) if evidence.symptom_metric else WALKED:
            found = excesses(evidence.metrics, metric)
            symptom = evidence.symptom if evidence.symptom in found else ""
            walks.append(walk(graph, found, symptom=symptom, metric=metric))
    walks = [ranking for ranking in walks if ranking.scores]
    return walks or [standing_out(from_onset(evidence.metrics))]


def _missing(evidence: IncidentEvidence, graph: Graph, rankings: list[Ranking]) -> tuple[str, ...]:
    told = {ranking.method for ranking in rankings if ranking.scores}
    notes = []
    if not evidence.metrics:
        notes.append("no metrics: decided by alerts alone")
    elif not told - {"alerts"}:
        notes.append("no metric left its normal range: decided by alerts alone")
    elif "robust z" in told:
        notes.append("not followed along the calls: decided by which metric stands out most")
    if not evidence.alerts and told:
        notes.append("no alerts: decided by metrics alone")
    if not graph.calls:
        notes.append("not known who calls whom: an echo cannot be told from a cause")
    if evidence.alerts and evidence.history.incidents == 0:
        notes.append("no past incidents: every alert counts as rare")
    return tuple(notes)
