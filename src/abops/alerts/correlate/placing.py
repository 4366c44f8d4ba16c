"""Where an alert stands, read from its labels: for the running service and for a recorded night."""

import re
from collections.abc import Mapping
from typing import Final

from abops.alerts.correlate.topology import Place

ABOUT_NOTHING: Final = frozenset({"Watchdog", "DirectPage"})
"""Alerts that always fire, or repeat others."""


_BUDGET: Final = re.compile(r"error_?budget|burn_?rate", re.IGNORECASE)


def outlasts(kind: str, severity: str) -> bool:
    """Say whether an alert goes on long after its fault is over, and so tells nothing of the next.

    A budget that is spent, or spent slowly, is counted over hours and days. One that is spent so
    fast that it pages ends with its fault.
    """
    return severity != "critical" and _BUDGET.search(kind.partition(":")[0]) is not None


def service_of(labels: Mapping[str, str]) -> str:
    """Return the service an alert belongs to; without one, what watched it, or its own name."""
    return labels.get("service") or labels.get("job") or labels.get("alertname", "")


def place_of(service: str, env: str, labels: Mapping[str, str]) -> Place:
    """Return where an alert of this service stands."""
    component = labels.get("component", "")
    return Place(env, service, "" if component == service else component, labels.get("node", ""))


def stands_alone(labels: Mapping[str, str]) -> bool:
    """Say whether it is about nothing, or a rehearsal that must not vanish in what is real."""
    return labels.get("alertname") in ABOUT_NOTHING or labels.get("test") == "true"
