"""Alerts about PostgreSQL: one module a theme."""

from abops.inventory.model import Inventory
from abops.observability.catalogue.alert import Alert
from abops.observability.catalogue.place import of_kind, place, users_of
from abops.observability.catalogue.postgres_connections import connection_alerts, pool_timeouts
from abops.observability.catalogue.postgres_durability import durability_alerts
from abops.observability.catalogue.postgres_replication import replication_alerts
from abops.observability.catalogue.postgres_speed import speed_alerts
from abops.observability.catalogue.postgres_vacuum import vacuum_alerts


def postgres_alerts(inventory: Inventory) -> tuple[Alert, ...]:
    """Return the alerts about PostgreSQL; none where there is none."""
    where = of_kind(inventory.stores, "postgres")
    if where is None:
        return ()
    return (
        *connection_alerts(where),
        *(pool_timeouts(place(user)) for user in users_of(inventory, where.service)[:1]),
        *replication_alerts(where),
        *durability_alerts(where),
        *vacuum_alerts(where),
        *speed_alerts(where),
    )
