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
    """Who looks after the cluster, and which containers page.

    `first_tier` is a regular expression: a container is named after its service.
    """

    team: str
    first_tier: str

    def labels(self, category: str, tier: int = 2, service: str = "") -> dict[str, str]:
        """Return the labels of an alert; `service` for series that say of none."""
        labels = {
            "component": COMPONENT,
            "category": category,
            "tier": str(tier),
            "team": self.team,
        }
        return labels | ({"service": service} if service else {})


def cluster(inventory: Inventory) -> Cluster | None:
    """Return the cluster as the inventory knows it; None where nobody runs one."""
    teams = {part.kind: part.team for part in inventory.platform}
    team = next((teams[kind] for kind in _OURS if kind in teams), None)
    if team is None:
        return None
    first = sorted(service.name for service in inventory.services if service.tier == 1)
    return Cluster(team, "|".join(first))
