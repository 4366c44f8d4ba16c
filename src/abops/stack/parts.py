"""All parts of the local platform, in the order in which people read them."""

from abops.stack.part import Part
from abops.stack.parts_alerts import alerting
from abops.stack.parts_monitoring import monitoring
from abops.stack.parts_stores import stores
from abops.stack.parts_workload import workload
from abops.stack.site import Site


def declare_parts(site: Site) -> tuple[Part, ...]:
    """Return every part of the stack."""
    return (*stores(site), *workload(site), *monitoring(site), *alerting(site))
