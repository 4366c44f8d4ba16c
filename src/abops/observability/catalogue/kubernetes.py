"""Alerts about the cluster: its pods, rollouts, room and nodes.

Series of kube-state-metrics know a namespace, a pod and a container, but no service: containers
are named after theirs, as the recorded series have it. The scrape of a cluster sets `env`.
"""

from abops.inventory.model import Inventory
from abops.observability.catalogue.alert import Alert
from abops.observability.catalogue.kubernetes_capacity import capacity_alerts
from abops.observability.catalogue.kubernetes_nodes import node_state_alerts
from abops.observability.catalogue.kubernetes_place import cluster
from abops.observability.catalogue.kubernetes_pods import pod_alerts
from abops.observability.catalogue.kubernetes_rollout import rollout_alerts
from abops.observability.catalogue.kubernetes_volumes import volume_alerts


def kubernetes_alerts(inventory: Inventory) -> tuple[Alert, ...]:
    """Return the alerts about the cluster; none where nobody runs one."""
    where = cluster(inventory)
    if where is None:
        return ()
    return (
        *pod_alerts(where),
        *rollout_alerts(where),
        *capacity_alerts(inventory, where),
        *volume_alerts(where),
        *node_state_alerts(where),
    )
