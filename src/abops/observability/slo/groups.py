"""The groups of slo.yml: each objective has one of its own, and one over its whole window.

Groups are evaluated beside each other and spread over the interval; rules within a group in their
order. Alerts therefore stand after the series they read, in the same group.
"""

from datetime import timedelta

from msgspec import Struct

from abops.inventory.model import Inventory, Objective
from abops.observability.catalogue.alert import Alert
from abops.observability.catalogue.recording import Recording
from abops.observability.slo.alerts import objective_alerts, period_alerts
from abops.observability.slo.budget import EVERY, PERIOD_EVERY
from abops.observability.slo.recordings import (
    group_of,
    objective_recordings,
    period_group_of,
    period_recordings,
)

PREFIX = "slo-"
"""What the names of these groups begin with."""


class Group(Struct, frozen=True):
    """One group of rules, before it is rendered."""

    name: str
    every: timedelta
    recordings: tuple[Recording, ...]
    alerts: tuple[Alert, ...]


def slo_groups(inventory: Inventory) -> tuple[Group, ...]:
    """Return every group, in the order of the inventory."""
    return tuple(group for one in inventory.slos for group in groups_of(one, inventory))


def groups_of(objective: Objective, inventory: Inventory) -> tuple[Group, Group]:
    """Return the two groups of an objective."""
    return (
        Group(
            group_of(objective),
            EVERY,
            objective_recordings(objective, inventory),
            objective_alerts(objective, inventory),
        ),
        Group(
            period_group_of(objective),
            PERIOD_EVERY,
            period_recordings(objective),
            period_alerts(objective, inventory),
        ),
    )


def slo_alerts(inventory: Inventory) -> tuple[Alert, ...]:
    """Return the alerts of all objectives, for the catalogue."""
    return tuple(alert for group in slo_groups(inventory) for alert in group.alerts)


def slo_recordings(inventory: Inventory) -> tuple[Recording, ...]:
    """Return the recorded series of all objectives."""
    return tuple(one for group in slo_groups(inventory) for one in group.recordings)
