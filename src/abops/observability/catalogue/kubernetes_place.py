"""What all alerts about the cluster share: their group, their owner, and what runs in it."""

from typing import Final

from msgspec import Struct

from abops.inventory.model import Inventory

GROUP: Final = "kubernetes"
BOARD: Final = "infrastructure"
COMPONENT: Final = "kubernetes"
_OURS: Final = ("kubernetes", "node", "prometheus")
"""Kinds of parts whose team runs the machines, the most telling one first."""


class Cluster(Struct, frozen=True):
    """Who looks after the cluster, and what of ours runs in it.

    `services` (with the stores) and `first_tier` are regular expressions of names: a container is
    named after its service, a workload after its release and its service.
    """

    team: str
    services: str
    first_tier: str

    def labels(self, category: str, tier: int = 2) -> dict[str, str]:
        """Return the labels of an alert whose series say which service it is about."""
        return {
            "component": COMPONENT,
            "category": category,
            "tier": str(tier),
            "team": self.team,
        }

    def own_labels(self, category: str, tier: int = 2) -> dict[str, str]:
        """Return the labels of an alert about the cluster itself."""
        return {**self.labels(category, tier), "service": COMPONENT}

    def of_workload(self, expr: str, label: str) -> str:
        """Return series with the service in the name that `label` holds, or else the cluster's.

        Workloads are `<release>-<service>`, a canary's has one word more, a pod's one or two.
        """
        known = f'label_replace({expr}, "service", "{COMPONENT}", "", "")'
        name = f"(?:.*-)?({self.services})(?:-canary)?(?:-[a-z0-9]+){{0,2}}"
        return f'label_replace({known}, "service", "$1", "{label}", "{name}")'


def of_container(expr: str) -> str:
    """Return series with the service after which their container is named."""
    return f'label_replace({expr}, "service", "$1", "container", "(.+)")'


def cluster(inventory: Inventory) -> Cluster | None:
    """Return the cluster as the inventory knows it; None where nobody runs one."""
    teams = {part.kind: part.team for part in inventory.platform}
    team = next((teams[kind] for kind in _OURS if kind in teams), None)
    if team is None:
        return None
    first = sorted(service.name for service in inventory.services if service.tier == 1)
    every = {part.name for part in (*inventory.services, *inventory.stores)}
    longest_first = sorted(every, key=lambda name: (-len(name), name))
    return Cluster(team, "|".join(longest_first), "|".join(first))
