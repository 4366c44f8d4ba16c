"""What all alerts of the group `telemetry` share."""

from typing import Final

from abops.observability.catalogue.alert import Severity

GROUP: Final = "telemetry"


def place(service: str, category: str, team: str, severity: Severity = "warning") -> dict[str, str]:
    """Return the labels of an alert about one part of the platform."""
    tier = "1" if severity == "critical" else "2"
    return {
        "component": service,
        "category": category,
        "service": service,
        "team": team,
        "tier": tier,
    }
