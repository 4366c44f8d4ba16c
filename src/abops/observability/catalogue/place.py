"""Where the alerts about a part belong: its tier and team, and its name where series lack it."""

from collections.abc import Sequence

from msgspec import Struct

from abops.inventory.model import Inventory, Part


class Place(Struct, frozen=True):
    """What every alert about one part says of it."""

    service: str
    tier: int
    team: str

    def labels(self, component: str, category: str) -> dict[str, str]:
        """Return the labels of an alert whose series carry `service`."""
        return {
            "component": component,
            "category": category,
            "tier": str(self.tier),
            "team": self.team,
        }

    def own_labels(self, component: str, category: str) -> dict[str, str]:
        """Return the labels of an alert whose series are told by another part."""
        return {**self.labels(component, category), "service": self.service}


def place(part: Part) -> Place:
    """Return where alerts about `part` belong."""
    return Place(part.name, part.tier, part.team)


def of_kind(parts: Sequence[Part], kind: str) -> Place | None:
    """Return where alerts about parts of this kind belong: to the first one's tier and team."""
    return next((place(part) for part in parts if part.kind == kind), None)


def users_of(inventory: Inventory, store: str) -> tuple[Part, ...]:
    """Return the services that depend on a store."""
    return tuple(service for service in inventory.services if store in service.depends_on)
