"""What each job's metrics are called: recorded from real scrapes, kept beside the rules.

A rule about a metric that nobody exports is silent for ever, and looks like health. So every name
and label in an expression must be in a contract: a file with one line for each series name, its
type and its labels. `recorded` contracts come from a scrape of the real exporter; `declared` ones
from its documentation, or from what a part of the platform promises to publish.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from abops.kernel.errors import OpsError

Source = Literal["recorded", "declared"]
UNKNOWN: Final = "?"
"""In place of labels: the exporter names the metric, but has shown no series of it yet."""
_TYPE: Final = re.compile(r"# TYPE ([\w:]+) (\w+)$")
_SAMPLE: Final = re.compile(r"([\w:]+)(?:\{(.*)\})? \S+")
_LABEL: Final = re.compile(r'(\w+)="(?:\\.|[^"\\])*"')
_PARTS: Final = ("_bucket", "_count", "_sum")
_SYNTHETIC: Final = (
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
)


class ContractError(OpsError):
    """A contract file cannot be read."""

    hint = "Record it again: `abops observability contract record JOB --prometheus URL`."


class Metric(Struct, frozen=True):
    """One series name: its type, and the labels its series have; None: not known."""

    name: str
    kind: str
    labels: frozenset[str] | None


class Contract(Struct, frozen=True):
    """What one exporter says in one version. `target_labels` are added by the scrape."""

    job: str
    exporter: str
    version: str
    source: Source
    target_labels: frozenset[str]
    metrics: dict[str, Metric]

    @property
    def filename(self) -> str:
        """Return the name of its file."""
        return f"{self.exporter}@{self.version}.txt"

    def labels(self, name: str) -> frozenset[str] | None:
        """Return every label that series of this name may have; None: not known."""
        own = self.metrics[name].labels
        return None if own is None else own | self.target_labels


def from_scrape(text: str) -> dict[str, Metric]:
    """Return what a scrape in Prometheus' text format shows."""
    kinds: dict[str, str] = {}
    labels: dict[str, set[str]] = {}
    for line in text.splitlines():
        if typed := _TYPE.match(line):
            kinds[typed[1]] = typed[2]
        elif not line.startswith("#") and (sample := _SAMPLE.match(line)):
            labels.setdefault(sample[1], set()).update(_LABEL.findall(sample[2] or ""))
    metrics = {
        name: Metric(name, _kind(name, kinds), frozenset(found)) for name, found in labels.items()
    }
    for name, kind in kinds.items():
        if labels.keys().isdisjoint({name, *(name + part for part in _PARTS)}):
            for part in _PARTS if kind == "histogram" else ("",):
                metrics[name + part] = Metric(name + part, kind, None)
    return metrics


def _kind(name: str, kinds: Mapping[str, str]) -> str:
    if name in kinds:
        return kinds[name]
    for part in _PARTS:
        if name.endswith(part) and name.removesuffix(part) in kinds:
            return kinds[name.removesuffix(part)]
    return "untyped"


def synthetic() -> dict[str, Metric]:
    """Return the series that Prometheus itself adds to each target."""
    return {name: Metric(name, "gauge", frozenset()) for name in _SYNTHETIC}


def joined(scrapes: Iterable[Mapping[str, Metric]]) -> dict[str, Metric]:
    """Return what several targets, or moments, of one job show together; the last says the type."""
    found: dict[str, Metric] = {}
    for scrape in scrapes:
        for name, metric in scrape.items():
            known = found.get(name)
            if known is None or known.labels is None:
                found[name] = metric
            elif metric.labels is not None:
                found[name] = Metric(name, metric.kind, known.labels | metric.labels)
            else:
                found[name] = Metric(name, metric.kind, known.labels)
    return found


def write_contract(contract: Contract) -> str:
    """Return a contract as its file."""
    lines = [
        f"# job: {contract.job}",
        f"# source: {contract.source}",
        f"# labels of its targets: {' '.join(sorted(contract.target_labels))}".rstrip(),
    ]
    for metric in sorted(contract.metrics.values(), key=lambda m: m.name):
        labels = UNKNOWN if metric.labels is None else ",".join(sorted(metric.labels))
        lines.append(f"{metric.name} {metric.kind} {labels}".rstrip())
    return "\n".join(lines) + "\n"


def read_contract(filename: str, text: str) -> Contract:
    """Return the contract of a file `<exporter>@<version>.txt`. Raises ContractError."""
    exporter, at, version = filename.removesuffix(".txt").rpartition("@")
    head = dict(re.findall(r"^# ([\w ]+): ?(.*)$", text, re.MULTILINE))
    if not at or "job" not in head or head.get("source") not in ("recorded", "declared"):
        raise ContractError(f"{filename}: needs a name@version, a job and a source")
    metrics: dict[str, Metric] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("#") or not line:
            continue
        words = line.split(" ")
        if len(words) not in (2, 3):
            raise ContractError(f"{filename}:{number}: not `name type labels`: {line}")
        found = words[2] if len(words) == 3 else ""  # noqa: PLR2004 - name, type, labels
        labels = None if found == UNKNOWN else frozenset(filter(None, found.split(",")))
        metrics[words[0]] = Metric(words[0], words[1], labels)
    source: Source = "recorded" if head["source"] == "recorded" else "declared"
    targets = frozenset(head.get("labels of its targets", "").split())
    return Contract(head["job"], exporter, version, source, targets, metrics)


def kept_up(kept: Contract | None, now: Contract) -> Contract:
    """Return a contract recorded again: labels seen before stay, metrics that are gone do not."""
    if kept is None:
        return now
    metrics = {
        name: joined([{name: kept.metrics[name]}, {name: metric}])[name]
        if name in kept.metrics
        else metric
        for name, metric in now.metrics.items()
    }
    return replace(now, metrics=metrics)


class Difference(Struct, frozen=True):
    """One line in which two contracts differ."""

    metric: str
    what: str


def differences(kept: Contract, now: Contract) -> tuple[Difference, ...]:
    """Return what changed since a contract was recorded.

    A metric that is gone breaks rules; one that is new does not. Labels count only where both
    are known, for a series that has not happened yet has none.
    """
    found = [Difference(name, "gone") for name in kept.metrics.keys() - now.metrics.keys()]
    found += [Difference(name, "new") for name in now.metrics.keys() - kept.metrics.keys()]
    for name in kept.metrics.keys() & now.metrics.keys():
        old, new = kept.metrics[name], now.metrics[name]
        if old.kind != new.kind:
            found.append(Difference(name, f"type {old.kind} -> {new.kind}"))
        if old.labels is not None and new.labels is not None:
            found += [Difference(name, f"label {x} gone") for x in old.labels - new.labels]
            found += [Difference(name, f"label {x} new") for x in new.labels - old.labels]
    return tuple(sorted(found, key=lambda one: (one.metric, one.what)))
