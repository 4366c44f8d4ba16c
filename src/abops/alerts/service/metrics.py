"""The service's own metrics, under the names the rules and dashboards use."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from abops.alerts.model import SEVERITIES
from abops.alerts.store.outbox import Claim, Outcome

LATENCY_BUCKETS: Final = (0.5, 1, 2, 5, 10, 15, 20, 30, 45, 60, 120, 300, 900, 1800)


class Metrics:
    """Counts what is received and what is told."""

    def __init__(self, channels: tuple[str, ...]) -> None:
        # Half the series; nobody asks when a counter began.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        registry = CollectorRegistry()
        self._registry = registry
        self._watch_alerts(registry)
        self._watch_telling(registry, channels)
        self._watch_housekeeping(registry)
        ProcessCollector(registry=registry)

    def _watch_alerts(self, registry: CollectorRegistry) -> None:
        self.received = Counter(
            "abops_alerts_received",
            "Alerts by what became of them",
            ["source", "result"],
            registry=registry,
        )
        self._open = Gauge(
            "abops_incidents_open", "Incidents not resolved", ["severity"], registry=registry
        )
        self._storms = Gauge(
            "abops_storms_running", "Storms of alerts that are not over", registry=registry
        )
        self._heartbeat = Gauge(
            "abops_heartbeat_age_seconds",
            "Time since the Watchdog was last heard",
            registry=registry,
        )
        self._acknowledged = Histogram(
            "abops_incidents_acknowledge_seconds",
            "Time from an incident's opening until somebody took it",
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        for result in ("accepted", "duplicate", "rejected", "refused"):
            self.received.labels("alertmanager", result)

    def _watch_telling(self, registry: CollectorRegistry, channels: tuple[str, ...]) -> None:
        self._oldest = Gauge(
            "abops_outbox_oldest_seconds",
            "Age of the oldest message not yet accepted",
            ["severity"],
            registry=registry,
        )
        self._latency = Histogram(
            "abops_notification_latency_seconds",
            "Time from an alert's start until the channel accepted the message",
            ["channel", "severity"],
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self._notifications = Counter(
            "abops_notifications",
            "Attempts to tell a channel",
            ["channel", "result"],
            registry=registry,
        )
        self._dead = Counter("abops_dead_letters", "Messages given up", registry=registry)
        self.duplicate_pages = Counter(
            "abops_duplicate_pages", "Pages that may have been sent twice", registry=registry
        )
        self.timer_lateness = Histogram(
            "abops_timer_lateness_seconds",
            "Time from when a level was due until it was paged",
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        for channel in channels:
            for result in ("done", "retry", "dead"):
                self._notifications.labels(channel, result)

    def _watch_housekeeping(self, registry: CollectorRegistry) -> None:
        self._leads = Gauge(
            "abops_alerts_leads",
            "Whether this replica keeps the incidents and tells people",
            registry=registry,
        )
        self.background_failures = Counter(
            "abops_background_failures",
            "Times that work beside the alerts' way failed and was gone on with",
            ["task"],
            registry=registry,
        )
        self.silences_mirrored = Gauge(
            "abops_silences_mirrored",
            "Silences that stand in Alertmanager as well, for what it pages directly",
            registry=registry,
        )
        self.retention_deleted = Counter(
            "abops_retention_deleted",
            "Rows that were older than they are kept",
            ["table"],
            registry=registry,
        )
        self.retention_looked_at = Gauge(
            "abops_retention_last_look_timestamp_seconds",
            "When all that was old had been let go of; 0 before the first time",
            registry=registry,
        )

    def attempted(self, claim: Claim, outcome: Outcome) -> None:
        """Count one attempt."""
        item = claim.item
        self._notifications.labels(item.channel, outcome.state).inc()
        if outcome.state == "dead":
            self._dead.inc()
        if outcome.state == "done" and item.kind in ("open", "rise", "fallback"):
            waited = outcome.at - claim.since.timestamp()
            self._latency.labels(item.channel, item.severity).observe(max(waited, 0.0))

    def acknowledged(self, after: timedelta) -> None:
        """Count one acknowledgement."""
        self._acknowledged.observe(max(after.total_seconds(), 0.0))

    def text(
        self,
        *,
        open_incidents: Mapping[str, int],
        oldest_s: Mapping[str, float],
        heartbeat_age_s: float,
        storms_running: int = 0,
        leads: bool = True,
    ) -> bytes:
        """Return all metrics in Prometheus' text format."""
        for severity in SEVERITIES:
            self._open.labels(severity).set(open_incidents.get(severity, 0))
            self._oldest.labels(severity).set(oldest_s.get(severity, 0.0))
        self._heartbeat.set(heartbeat_age_s)
        self._storms.set(storms_running)
        self._leads.set(leads)
        return generate_latest(self._registry)
