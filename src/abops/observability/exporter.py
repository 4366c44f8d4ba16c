"""The business exporter: users, posts, revenue, queues and PostgreSQL's own figures as metrics.

It reads in the background and answers scrapes from memory, so that a slow database never makes
a scrape slow. It serves while PostgreSQL or Redis is away: what it read last stays for fifteen
minutes, and `abops_exporter_up` says which source is away.
"""

import threading
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol
from wsgiref.simple_server import WSGIServer

import structlog
from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from abops.clients.postgres import PostgresReader
from abops.clients.redis import BrokerReader
from abops.kernel.clock import Clock
from abops.kernel.errors import OpsError
from abops.observability.business import QUESTIONS, Sample, is_current, samples_of, waiting_since
from abops.observability.postgres_stats import FAMILIES

log = structlog.get_logger()

LENGTH, OLDEST = "celery_queue_length", "celery_queue_oldest_seconds"
_HELP = {
    **{question.metric: (question.help, question.labels) for question in QUESTIONS},
    LENGTH: ("Messages that wait in a queue.", ("queue",)),
    OLDEST: ("How long the first message of a queue has waited, in seconds.", ("queue",)),
    **{name: (figure.help, labels) for name, (figure, labels) in FAMILIES.items()},
}
_COUNTERS = frozenset(name for name in _HELP if name.endswith("_total"))


class Source(Protocol):
    """Something that gives samples, or raises OpsError."""

    name: str

    def read(self, now: datetime) -> list[Sample]:
        """Return all samples of this source."""
        ...


class Database:
    """The figures that lie in PostgreSQL."""

    name = "postgres"

    def __init__(self, reader: PostgresReader) -> None:
        self._reader = reader

    def read(self, now: datetime) -> list[Sample]:
        """Ask every question. Raises PostgresUnreachableError."""
        return [
            sample
            for question in QUESTIONS
            for sample in samples_of(question, self._reader.rows(question.statement), now)
        ]


class Queues:
    """The queues in the broker."""

    name = "redis"

    def __init__(self, reader: BrokerReader, names: Sequence[str]) -> None:
        self._reader, self._names = reader, names

    def read(self, now: datetime) -> list[Sample]:
        """Return length and age of every queue. Raises RedisUnreachableError."""
        samples = []
        for name in self._names:
            length, oldest = self._reader.queue(name)
            waited = waiting_since(oldest, now) if oldest else timedelta()
            samples.append(Sample(LENGTH, (name,), length, now))
            samples.append(Sample(OLDEST, (name,), waited.total_seconds(), now))
        return samples


class Exporter(Collector):
    """Reads its sources every `interval` and shows what it read last."""

    def __init__(self, sources: Sequence[Source], clock: Clock, interval: timedelta) -> None:
        self._sources, self._clock, self._interval = sources, clock, interval
        self._samples: dict[str, list[Sample]] = {}
        self._up: dict[str, bool] = {}
        self._failed = dict.fromkeys((source.name for source in sources), 0)
        self._stop = threading.Event()

    def collect(self) -> Iterable[Metric]:
        """Return the families that prometheus_client shows."""
        now = self._clock.now()
        families: dict[str, GaugeMetricFamily | CounterMetricFamily] = {}
        for sample in (s for samples in list(self._samples.values()) for s in samples):
            if is_current(sample, now):
                if sample.metric not in families:
                    families[sample.metric] = _family(sample.metric)
                families[sample.metric].add_metric(sample.labels, sample.value)
        up = GaugeMetricFamily(
            "abops_exporter_up", "1 while the exporter can read this source.", labels=["source"]
        )
        for name, is_up in list(self._up.items()):
            up.add_metric([name], float(is_up))
        failed = CounterMetricFamily(
            "abops_exporter_errors_total", "Readings of this source that failed.", labels=["source"]
        )
        for name, count in list(self._failed.items()):
            failed.add_metric([name], count)
        return [*families.values(), up, failed]

    def read_once(self) -> None:
        """Read every source; one that is away keeps its last values."""
        for source in self._sources:
            try:
                self._samples[source.name] = source.read(self._clock.now())
                is_up = True
            except OpsError as error:
                is_up = False
                self._failed[source.name] += 1
                if self._up.get(source.name, True):
                    log.warning("source away", source=source.name, reason=str(error))
            self._up[source.name] = is_up

    def run(self) -> None:
        """Read until `stop`."""
        while not self._stop.is_set():
            self.read_once()
            self._stop.wait(self._interval.total_seconds())

    def stop(self) -> None:
        """End `run` soon."""
        self._stop.set()


def _family(metric: str) -> GaugeMetricFamily | CounterMetricFamily:
    text, labels = _HELP[metric]
    kind = CounterMetricFamily if metric in _COUNTERS else GaugeMetricFamily
    return kind(metric, text, labels=labels)


def serve(exporter: Exporter, host: str, port: int) -> tuple[WSGIServer, threading.Thread]:
    """Answer scrapes on host:port; return the server and its thread."""
    registry = CollectorRegistry()
    registry.register(exporter)
    ProcessCollector(registry=registry)
    return start_http_server(port, addr=host, registry=registry)
