"""Prometheus' HTTP API: which alerts fire."""

from msgspec import Struct

from abops.clients.loopback import Loopback


class FiringAlert(Struct, frozen=True):
    """An alert that fires: its name, and what it is about."""

    name: str
    service: str
    labels: dict[str, str]


class Prometheus:
    """One Prometheus of this machine."""

    def __init__(self, url: str) -> None:
        self._server = Loopback(url)

    def firing(self) -> tuple[FiringAlert, ...]:
        """Return the alerts that fire now, without the one that always does."""
        found = self._server.get("/api/v1/alerts")["data"]["alerts"]
        return tuple(
            FiringAlert(labels["alertname"], labels.get("service", ""), labels)
            for labels in (alert["labels"] for alert in found if alert["state"] == "firing")
            if labels["alertname"] != "Watchdog"
        )
