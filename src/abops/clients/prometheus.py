"""Prometheus' HTTP API: which alerts fire, which rules fail, what a query says."""

from msgspec import Struct

from abops.clients.loopback import Loopback


class FiringAlert(Struct, frozen=True):
    """An alert that fires: its name, and what it is about."""

    name: str
    service: str
    labels: dict[str, str]


class Value(Struct, frozen=True):
    """One series of a query's answer, and its value."""

    labels: dict[str, str]
    value: float


class Target(Struct, frozen=True):
    """One place that is scraped: its job, its address, and the labels that the scrape adds."""

    job: str
    url: str
    labels: dict[str, str]


class Prometheus:
    """One Prometheus of this machine."""

    def __init__(self, url: str) -> None:
        self._server = Loopback(url)

    def close(self) -> None:
        """Close the connections."""
        self._server.close()

    def firing(self) -> tuple[FiringAlert, ...]:
        """Return the alerts that fire now, without the one that always does."""
        found = self._server.get("/api/v1/alerts")["data"]["alerts"]
        return tuple(
            FiringAlert(labels["alertname"], labels.get("service", ""), labels)
            for labels in (alert["labels"] for alert in found if alert["state"] == "firing")
            if labels["alertname"] != "Watchdog"
        )

    def query(self, expr: str) -> tuple[Value, ...]:
        """Return what an expression says now: one value for each series."""
        found = self._server.get("/api/v1/query", query=expr)["data"]
        if found["resultType"] == "scalar":
            return (Value({}, float(found["result"][1])),)
        return tuple(Value(one["metric"], float(one["value"][1])) for one in found["result"])

    def count_range(self, expr: str, start: int, end: int, step: int) -> int:
        """Return how many series an expression has between two moments, in seconds since 1970."""
        found = self._server.get(
            "/api/v1/query_range", query=expr, start=str(start), end=str(end), step=str(step)
        )
        return len(found["data"]["result"])

    def count_at(self, expr: str, moment: int) -> int:
        """Return how many series an expression has at a moment, in seconds since 1970."""
        found = self._server.get("/api/v1/query", query=expr, time=str(moment))["data"]
        return len(found["result"]) if found["resultType"] == "vector" else 1

    def targets(self) -> tuple[Target, ...]:
        """Return what is scraped."""
        found = self._server.get("/api/v1/targets", state="active")["data"]["activeTargets"]
        return tuple(Target(one["labels"]["job"], one["scrapeUrl"], one["labels"]) for one in found)

    def broken_rules(self) -> tuple[str, ...]:
        """Return the names of rules whose last evaluation failed."""
        groups = self._server.get("/api/v1/rules")["data"]["groups"]
        return tuple(
            rule["name"] for group in groups for rule in group["rules"] if rule["health"] == "err"
        )
