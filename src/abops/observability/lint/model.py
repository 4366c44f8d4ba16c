"""What the lint looks at, what it knows, and what it says."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final, Literal

from msgspec import Struct
from promql_parser import MatchOp, VectorSelector

from abops.observability.contract import Contract, Metric
from abops.observability.promql import named

Kind = Literal["alert", "recording", "panel"]
USUAL_INTERVAL: Final = timedelta(seconds=15)
_COUNTERS: Final = ("_total", "_count", "_sum", "_bucket")


class Subject(Struct, frozen=True):
    """One expression: where it stands, and what belongs to it."""

    file: str
    name: str
    kind: Kind
    expr: str
    hold: timedelta = timedelta()
    texts: Mapping[str, str] = {}
    """Annotations, for alerts."""
    labels: Mapping[str, str] = {}
    """Labels that the rule adds."""


class Finding(Struct, frozen=True):
    """One thing to mend: where, which check, why, and the next step."""

    file: str
    name: str
    check: str
    reason: str
    step: str


class Fault(Struct, frozen=True):
    """A finding before it has a place."""

    check: str
    reason: str
    step: str


class Facts(Struct, frozen=True):
    """What is known of the metrics: contracts, recorded series, and how often jobs are scraped."""

    contracts: Sequence[Contract]
    recorded: Mapping[str, frozenset[str] | None] = {}
    """Recorded series by name, with the labels they may have; None: any."""
    intervals: Mapping[str, timedelta] = {}
    constants: frozenset[str] = frozenset()
    """Recorded series that are a number written into their rule."""

    def behind(self, chosen: VectorSelector) -> tuple[Contract, ...]:
        """Return the contracts in which a selector's metric stands, of the job that it names."""
        name, job = named(chosen), exact_job(chosen)
        return tuple(
            contract
            for contract in self.contracts
            if name in contract.metrics and (job is None or contract.job == job)
        )

    def metrics(self, chosen: VectorSelector) -> tuple[Metric, ...]:
        """Return what the contracts say of a selector's metric."""
        return tuple(contract.metrics[named(chosen)] for contract in self.behind(chosen))

    def labels(self, chosen: VectorSelector) -> frozenset[str] | None:
        """Return the labels that a selector's series may have; None: nobody knows."""
        name = named(chosen)
        if name in self.recorded:
            return self.recorded[name]
        found = [contract.labels(name) for contract in self.behind(chosen)]
        known = [labels for labels in found if labels is not None]
        return frozenset().union(*known) if known and len(known) == len(found) else None

    def is_counter(self, chosen: VectorSelector) -> bool | None:
        """Return whether a metric only grows; None: nobody knows."""
        name = named(chosen)
        if name in self.recorded or ":" in name:
            return False
        kinds = {metric.kind for metric in self.metrics(chosen)} - {"untyped", "unknown"}
        if kinds:
            grown = name.endswith(_COUNTERS)
            return any(k == "counter" or (k in ("histogram", "summary") and grown) for k in kinds)
        return True if name.endswith(_COUNTERS) else None

    def interval(self, chosen: VectorSelector) -> timedelta:
        """Return how often a selector's metric is scraped, at the slowest."""
        found = [self.intervals.get(c.job, USUAL_INTERVAL) for c in self.behind(chosen)]
        return max(found, default=USUAL_INTERVAL)


def exact_job(chosen: VectorSelector) -> str | None:
    """Return the job that a selector names, if it names exactly one."""
    return next(
        (m.value for m in chosen.matchers.matchers if m.name == "job" and m.op == MatchOp.Equal),
        None,
    )
