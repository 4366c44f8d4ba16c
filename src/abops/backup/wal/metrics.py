"""The archiver's own metrics, under the names the rules and boards use."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    start_http_server,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from abops.backup.wal.archiver import Reply
from abops.backup.wal.engine import Told
from abops.backup.wal.place import View

BUCKETS: Final = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10)
_GAUGES: Final = (
    ("destination_up", "Whether a destination answers", lambda view: float(view.up)),
    ("wal_owed_segments", "Segments it has not got yet", lambda view: view.owed),
    ("wal_oldest_owed_seconds", "Age of the oldest of them", lambda view: view.oldest_owed_s),
    ("wal_conflicts", "Segments of which it has others", lambda view: view.conflicts),
    ("wal_dropped_segments", "Segments it will never get", lambda view: view.gaps),
)


class Metrics:
    """Counts what is pushed and what PostgreSQL is told."""

    def __init__(self, destinations: Iterable[str]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._pushes = Histogram(
            "abops_backup_wal_push_seconds",
            "Time to push one segment to a destination",
            ["dest"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._failures = Counter(
            "abops_backup_wal_push_failures",
            "Pushes that a destination did not take",
            ["dest", "reason"],
            registry=self.registry,
        )
        self._answers = Histogram(
            "abops_backup_wal_answer_seconds",
            "Time until PostgreSQL was told whether a segment is kept",
            ["result"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.heartbeat = Gauge(
            "abops_backup_heartbeat_timestamp_seconds",
            "Last mark in the database by which a restore measures what it lost",
            registry=self.registry,
        )
        for name in destinations:
            self._pushes.labels(name)
            for reason in ("failed", "different"):
                self._failures.labels(name, reason)
        for result in ("kept", "refused"):
            self._answers.labels(result)

    def pushed(self, destination: str, told: Told) -> None:
        """Note an answer of a destination."""
        if told.outcome == "done":
            self._pushes.labels(destination).observe(told.seconds)
        else:
            self._failures.labels(destination, told.outcome.value).inc()

    def answered(self, reply: Reply, seconds: float) -> None:
        """Note what PostgreSQL was told."""
        self._answers.labels("kept" if reply.code == 0 else "refused").observe(seconds)

    def serve(self, port: int, views: Callable[[], Iterable[View]]) -> Callable[[], None]:
        """Answer scrapes on the loopback; return what ends it."""
        self.registry.register(_Views(views))
        server, thread = start_http_server(port, addr="127.0.0.1", registry=self.registry)

        def end() -> None:
            server.shutdown()
            server.server_close()
            thread.join(5)

        return end


class _Views(Collector):
    """Gauges as they are when somebody asks."""

    def __init__(self, views: Callable[[], Iterable[View]]) -> None:
        self._views = views

    def collect(self) -> Iterator[Metric]:
        """Return a family for each gauge."""
        views = tuple(self._views())
        for name, text, value in _GAUGES:
            family = GaugeMetricFamily(f"abops_backup_{name}", text, labels=["dest"])
            for view in views:
                family.add_metric([view.destination], value(view))
            yield family
