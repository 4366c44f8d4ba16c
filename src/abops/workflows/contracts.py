"""The contracts of all jobs: read from their folder, and recorded from what runs."""

import re
from contextlib import closing
from pathlib import Path
from typing import Final

from abops.clients.exposition import scrape
from abops.clients.prometheus import Prometheus, Target
from abops.kernel.errors import UsageError
from abops.observability.contract import (
    Contract,
    from_scrape,
    joined,
    read_contract,
    synthetic,
)

FOLDER: Final = Path("tests/rules/contracts")
_EXPORTERS: Final = {
    "postgres": "postgres-exporter",
    "redis": "redis-exporter",
    "node": "node-exporter",
    "probes": "blackbox-probes",
    "blackbox": "blackbox-exporter",
}
"""Jobs whose exporter is called otherwise."""
_BUILD: Final = re.compile(r'^(\w+)_build_info{.*?\bversion="([^"+-]+)', re.MULTILINE)
_TARGET: Final = frozenset({"instance", "job"})


class NoVersionError(UsageError):
    """The exporter does not say its version."""

    hint = "Give it with --version."


class UnknownJobError(UsageError):
    """There is no such job."""

    hint = "Name one of the jobs in prometheus.yml; see them with `abops coverage --live`."


def contracts(root: Path) -> tuple[Contract, ...]:
    """Return every contract below `root`."""
    files = sorted((root / FOLDER).glob("*.txt"))
    return tuple(read_contract(file.name, file.read_text()) for file in files)


def jobs_of(prometheus: str) -> tuple[str, ...]:
    """Return the jobs that a Prometheus scrapes."""
    return tuple(dict.fromkeys(target.job for target in _targets(prometheus)))


def from_prometheus(job: str, url: str, version: str | None) -> Contract:
    """Return what the targets of a job show, asked at their own addresses."""
    targets = [target for target in _targets(url) if target.job == job]
    if not targets:
        raise UnknownJobError(f"{url} scrapes no job {job!r}")
    labels = _TARGET.union(*(target.labels for target in targets))
    return _contract(job, [scrape(target.url) for target in targets], labels, version)


def from_url(job: str, url: str, version: str | None) -> Contract:
    """Return what one address shows, with the labels that every target has here."""
    return _contract(job, [scrape(url)], _TARGET | {"service", "env", "namespace"}, version)


def _targets(url: str) -> tuple[Target, ...]:
    with closing(Prometheus(url)) as prometheus:
        return prometheus.targets()


def _contract(job: str, texts: list[str], labels: frozenset[str], version: str | None) -> Contract:
    metrics = joined([synthetic(), *map(from_scrape, texts)])
    exporter = _EXPORTERS.get(job, job)
    found = {name.replace("_", "-"): seen for text in texts for name, seen in _BUILD.findall(text)}
    said = version or found.get(exporter) or found.get(job)
    if said is None:
        raise NoVersionError(f"{job}: no {exporter}_build_info in its metrics")
    return Contract(job, exporter, said, "recorded", labels, metrics)
