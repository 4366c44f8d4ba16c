"""From the alerts of this platform to the evidence of an incident.

The inventory says which part depends on which. Labels say where an alert belongs: to a pod if it
names one, to a machine if it only names that, else to its service. A rule whose component is a
part that its service calls speaks of that part: when the bot tells that Telegram does not answer,
it is Telegram's alert.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from abops.alerts.correlate.placing import ABOUT_NOTHING
from abops.alerts.model import Alert
from abops.alerts.rootcause.graph import Graph
from abops.alerts.rootcause.model import (
    AlertSeen,
    ChangeSeen,
    Edge,
    History,
    IncidentEvidence,
    Series,
)

if TYPE_CHECKING:
    from abops.inventory.model import Inventory

OUTSIDE: Final[Mapping[str, tuple[str, ...]]] = {
    "aiogram": ("telegram",),
    "celery": ("telegram",),
}
"""What parts of a kind call outside of the platform. No inventory lists what we do not run."""
OF_MACHINES: Final = frozenset({"node-exporter", "kubernetes"})
"""Services under which alerts about machines are reported."""


def platform_edges(inventory: "Inventory") -> tuple[Edge, ...]:
    """Return who calls whom, as the inventory says, and what they call outside."""
    return tuple(
        Edge(part.name, callee)
        for part in inventory.parts
        for callee in (*part.depends_on, *OUTSIDE.get(part.kind, ()))
    )


def incident_evidence(  # noqa: PLR0913 - each is a source of its own, all but alerts may be missing
    alerts: Iterable[Alert],
    *,
    edges: Iterable[Edge] = (),
    changes: Iterable[ChangeSeen] = (),
    history: History | None = None,
    metrics: Iterable[Series] | None = None,
    symptom: str = "",
    symptom_metric: str = "",
) -> IncidentEvidence:
    """Gather what is known of an incident; without `symptom` it is found among the alerts."""
    firing = [alert for alert in alerts if alert.name not in ABOUT_NOTHING]
    known = (*edges, *_placed(firing))
    graph = Graph.of(known)
    known += tuple(
        Edge(pod, callee)
        for service, pods in graph.members.items()
        for pod in pods
        for callee in graph.calls.get(service, ())
    )
    graph = Graph.of(known)
    seen = tuple(_seen(alert, graph) for alert in firing)
    return IncidentEvidence(
        symptom=symptom or symptom_of(seen, graph),
        alerts=seen,
        edges=known,
        changes=tuple(changes),
        history=history or History(),
        metrics=None if metrics is None else tuple(metrics),
        symptom_metric=symptom_metric,
    )


def symptom_of(alerts: Iterable[AlertSeen], graph: Graph) -> str:
    """Return where people notice: the first alerting part that no other alerting part calls."""
    first: dict[str, float] = {}
    for alert in alerts:
        if alert.at is not None:
            first[alert.entity] = min(first.get(alert.entity, alert.at), alert.at)
    called = {callee for part in first for callee in graph.calls.get(part, ())}
    entries = {part: at for part, at in first.items() if part not in called} or first
    return min(entries, key=lambda part: (entries[part], part), default="")


def _seen(alert: Alert, graph: Graph) -> AlertSeen:
    entity = _entity(alert, graph)
    family = alert.service if entity == alert.labels.get("pod") else ""
    return AlertSeen(entity, alert.name, alert.starts_at.timestamp(), family=family)


def _entity(alert: Alert, graph: Graph) -> str:
    pod, node = alert.labels.get("pod", ""), alert.labels.get("node", "")
    component = alert.labels.get("component", "")
    if component in graph.calls.get(alert.service, ()):
        return component
    if node and not pod and alert.service in OF_MACHINES:
        return node
    return pod or alert.service


def _placed(alerts: Iterable[Alert]) -> list[Edge]:
    """Read from labels which pod belongs to which service and runs on which machine."""
    edges = []
    for alert in alerts:
        pod, node = alert.labels.get("pod", ""), alert.labels.get("node", "")
        if pod and alert.service and alert.service not in OF_MACHINES:
            edges.append(Edge(pod, alert.service, "instance_of"))
        if pod and node:
            edges.append(Edge(pod, node, "hosted_on"))
    return edges
