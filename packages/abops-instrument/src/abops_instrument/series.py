"""Metrics that cannot flood Prometheus.

A label value that nobody thought of (an id in a path, a new exception class per tenant) turns
one metric into thousands of series, and the scrape of one pod into the outage of the monitoring.
So every labelled metric of this library is made here: one process exposes at most 1,500 series,
one metric at most 1,200 of them, and what does not fit is counted under the label `_overflow`.
No observation is ever lost; only its label is. A histogram child costs as many series as it has
buckets, plus sum, count and +Inf.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, Literal, TypeVar, cast

import prometheus_client
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

OVERFLOW = "_overflow"
SERIES_PER_PROCESS = 1_500
SERIES_PER_METRIC = 1_200
OVERFLOW_RESERVE = 200  # the overflow children of metrics that are declared later
RUNTIME_SERIES = 40  # process_*, python_gc_*, python_info: about 25 on Linux, some air

REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
TASK_BUCKETS = (*REQUEST_BUCKETS, 30.0, 60.0, 300.0, 600.0)
WAIT_BUCKETS = (1.0, 5.0, 15.0, 60.0, 300.0)

AcrossProcesses = Literal["livesum", "max", "mostrecent"]
Metric = TypeVar("Metric", Counter, Gauge, Histogram)

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]


class Budget:
    """Counts the series of one process."""

    def __init__(self, limit: int = SERIES_PER_PROCESS) -> None:
        self._limit = limit
        self.used = RUNTIME_SERIES

    def take(self, series: int) -> bool:
        """Reserve `series` if they fit."""
        if self.used + series > self._limit - OVERFLOW_RESERVE:
            return False
        self.used += series
        return True

    def take_anyway(self, series: int) -> None:
        """Reserve `series` for an overflow child: it must exist, or observations were lost."""
        self.used += series


class Family(Generic[Metric]):
    """One metric and its children, the number of which is bounded."""

    def __init__(  # noqa: PLR0913 - made by Families only
        self,
        metric: Metric,
        *,
        cost: int,
        width: int,
        keep: frozenset[int],
        budget: Budget,
        per_metric: int,
        overflowed: Callable[[], None],
    ) -> None:
        self._metric: Metric = metric
        self._cost = cost
        self._width = width
        self._keep = keep
        self._budget = budget
        self._per_metric = per_metric
        self._overflowed = overflowed
        self._lock = threading.Lock()
        self._children: dict[tuple[str, ...], Metric] = {}
        # The child that takes everything which does not fit is paid for at the start.
        self.series = cost
        budget.take_anyway(cost)
        if width == 0:
            self._children[()] = metric

    def labels(self, *values: str) -> Metric:
        """Return the child for these label values, or the overflow child when there is no room."""
        child = self._children.get(values)
        return child if child is not None else self._admit(values)

    def is_known(self, *values: str) -> bool:
        """Say if these label values have a child of their own."""
        return values in self._children

    def _admit(self, values: tuple[str, ...]) -> Metric:
        if len(values) != self._width:
            raise ValueError(f"{self._metric} takes {self._width} label values, not {len(values)}")
        with self._lock:
            # Four children stay free for overflow that keeps a label (the status code).
            spare = 4 * self._cost if self._keep else 0
            if self._may_add(spare):
                return self._add(tuple(str(value) for value in values))
            self._overflowed()
            if self._keep:
                kept = tuple(
                    str(value) if index in self._keep else OVERFLOW
                    for index, value in enumerate(values)
                )
                if kept in self._children:
                    return self._children[kept]
                if self._may_add(0):
                    return self._add(kept)
            rest = (OVERFLOW,) * self._width
            if rest not in self._children:
                self._children[rest] = self._metric.labels(*rest)
            return self._children[rest]

    def _may_add(self, spare: int) -> bool:
        if self.series + self._cost + spare > self._per_metric:
            return False
        return self._budget.take(self._cost)

    def _add(self, values: tuple[str, ...]) -> Metric:
        self.series += self._cost
        child = self._metric.labels(*values)
        self._children[values] = child
        return child


class Families:
    """The metrics of one registry: each is made once, whoever asks first."""

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        per_process: int = SERIES_PER_PROCESS,
        per_metric: int = SERIES_PER_METRIC,
    ) -> None:
        self._registry = registry
        self._per_metric = per_metric
        self._lock = threading.RLock()
        self._by_name: dict[str, Family[Counter] | Family[Gauge] | Family[Histogram]] = {}
        self.budget = Budget(per_process)
        self._overflow = Counter(
            "abops_instrument_overflow_total",
            "Observations whose labels did not fit the series budget.",
            ["metric"],
            registry=registry,
        )

    def counter(self, name: str, documentation: str, labels: Sequence[str] = ()) -> Family[Counter]:
        """Return the counter of this name."""

        def make() -> Family[Counter]:
            metric = Counter(name, documentation, labels, registry=self._registry)
            return self._family(name, metric, 1, len(labels), frozenset())

        return cast("Family[Counter]", self._once(name, make))

    def gauge(
        self,
        name: str,
        documentation: str,
        labels: Sequence[str] = (),
        *,
        across_processes: AcrossProcesses = "livesum",
    ) -> Family[Gauge]:
        """Return the gauge of this name; `across_processes` says how workers' values combine."""

        def make() -> Family[Gauge]:
            metric = Gauge(
                name,
                documentation,
                labels,
                registry=self._registry,
                multiprocess_mode=across_processes,
            )
            return self._family(name, metric, 1, len(labels), frozenset())

        return cast("Family[Gauge]", self._once(name, make))

    def histogram(
        self,
        name: str,
        documentation: str,
        labels: Sequence[str] = (),
        *,
        buckets: Sequence[float] = REQUEST_BUCKETS,
        keep: Sequence[str] = (),
    ) -> Family[Histogram]:
        """Return the histogram of this name; labels in `keep` survive an overflow."""

        def make() -> Family[Histogram]:
            metric = Histogram(
                name, documentation, labels, registry=self._registry, buckets=buckets
            )
            kept = frozenset(index for index, label in enumerate(labels) if label in keep)
            return self._family(name, metric, len(buckets) + 3, len(labels), kept)

        return cast("Family[Histogram]", self._once(name, make))

    def _once(
        self,
        name: str,
        make: Callable[[], Family[Counter] | Family[Gauge] | Family[Histogram]],
    ) -> Family[Counter] | Family[Gauge] | Family[Histogram]:
        with self._lock:
            family = self._by_name.get(name)
            if family is None:
                family = self._by_name[name] = make()
            return family

    def _family(
        self, name: str, metric: Metric, cost: int, width: int, keep: frozenset[int]
    ) -> Family[Metric]:
        return Family(
            metric,
            cost=cost,
            width=width,
            keep=keep,
            budget=self.budget,
            per_metric=self._per_metric,
            overflowed=lambda: self._overflow.labels(name).inc(),
        )


_families: dict[CollectorRegistry, Families] = {}
_families_lock = threading.Lock()


def families(registry: CollectorRegistry = REGISTRY) -> Families:
    """Return the metrics of `registry`."""
    with _families_lock:
        found = _families.get(registry)
        if found is None:
            found = _families[registry] = Families(registry)
        return found


def counter(name: str, documentation: str, labels: Sequence[str] = ()) -> Family[Counter]:
    """Return a counter of the process's own registry, made on first use."""
    return families().counter(name, documentation, labels)


def gauge(
    name: str,
    documentation: str,
    labels: Sequence[str] = (),
    *,
    across_processes: AcrossProcesses = "livesum",
) -> Family[Gauge]:
    """Return a gauge of the process's own registry, made on first use."""
    return families().gauge(name, documentation, labels, across_processes=across_processes)


def histogram(
    name: str,
    documentation: str,
    labels: Sequence[str] = (),
    *,
    buckets: Sequence[float] = REQUEST_BUCKETS,
) -> Family[Histogram]:
    """Return a histogram of the process's own registry, made on first use."""
    return families().histogram(name, documentation, labels, buckets=buckets)
