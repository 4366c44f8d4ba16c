"""Who is scraped: jobs from the inventory, and target files with the addresses of one place.

The Prometheus configuration is the same everywhere; only the target files differ.
"""

from collections.abc import Mapping
from datetime import timedelta

import yaml
from msgspec import Struct

from abops.inventory.model import (
    Inventory,
    Metrics,
    OptionalPart,
    Part,
    PlatformPart,
    Probe,
    Service,
)
from abops.kernel.errors import OpsError

PROBES = "probes"
ALERTMANAGERS = "alertmanagers"
STACK = "abops-stack"
"""What the supervisor of a local stack says about its parts; elsewhere the orchestrator does."""
SUPERVISOR = "supervisor"
PROBE_INTERVAL = timedelta(seconds=5)
"""Two failed probes of three and an evaluation stay below 15 s: half of the 30 s to a page."""

_JOBS = {"business-exporter": "abops-exporter", "alerts": "abops-alerts", "node-exporter": "node"}


class UnknownAddressError(OpsError):
    """A part has no address."""

    hint = "Every part of platform.yaml that is scraped needs one."


class Job(Struct, frozen=True):
    """One scrape job: what is measured (`service`), by whom (`part`), how often."""

    name: str
    service: str
    part: str
    path: str
    interval: timedelta
    tier: int
    team: str
    port: int | None = None


def jobs(inventory: Inventory) -> tuple[Job, ...]:
    """Return the scrape jobs, without the probes."""
    found = [_job(f"analyticbot-{s.name}", s.name, s, s.metrics) for s in inventory.services]
    exporters = {store.exporter: store for store in inventory.stores}
    for part in inventory.platform:
        store = exporters.get(part.name)
        if store is not None:
            found.append(_job(store.name, store.name, part, part.metrics))
        else:
            name = _JOBS.get(part.name, part.name)
            found.append(_job(name, part.name, part, part.metrics))
    return tuple(found)


def optional_jobs(inventory: Inventory) -> tuple[Job, ...]:
    """Return the scrape jobs of parts that not every place has; without a target they wait."""
    return tuple(
        _job(f"analyticbot-{part.name}", part.name, part, part.metrics)
        for part in inventory.optional
        if part.metrics is not None
    )


def told_by(inventory: Inventory, part: OptionalPart) -> Job:
    """Return the job whose series tell of an optional part: its own, or another's."""
    own = next((job for job in optional_jobs(inventory) if job.part == part.name), None)
    return own or next(job for job in jobs(inventory) if job.part == part.told_by)


def _job(
    name: str, service: str, part: Service | PlatformPart | OptionalPart, metrics: Metrics
) -> Job:
    return Job(
        name=name,
        service=service,
        part=part.name,
        path=metrics.path,
        interval=metrics.interval,
        tier=part.tier,
        team=part.team,
        port=metrics.port,
    )


def probes(inventory: Inventory) -> tuple[tuple[Part, Probe], ...]:
    """Return the parts that are seen from outside, with how."""
    watched: tuple[Service | PlatformPart, ...] = (*inventory.services, *inventory.platform)
    return tuple((part, part.probe) for part in watched if part.probe is not None)


def target_files(inventory: Inventory, env: str, addresses: Mapping[str, str]) -> dict[str, str]:
    """Return the target files of one environment: file name -> YAML.

    `addresses` maps a part's name to host:port; a part whose metrics have a port of their own
    is looked up as `<name>-metrics` first. A place without a supervisor has no target of the
    job `abops-stack`, and an optional part without an address is not there. Raises
    UnknownAddressError.
    """
    namespace = inventory.environments[env].namespace
    files: dict[str, object] = {}
    there = [job for job in optional_jobs(inventory) if job.part in addresses]
    for job in (*jobs(inventory), *there):
        address = addresses.get(f"{job.part}-metrics") or _address(addresses, job.part)
        labels = {"service": job.service, "env": env, "namespace": namespace}
        files[job.name] = [{"targets": [address], "labels": labels}]
    files[PROBES] = [
        {
            "targets": [_address(addresses, "blackbox")],
            "labels": {
                "__param_target": f"http://{_address(addresses, part.name)}{probe.path}",
                "__param_module": probe.module,
                "instance": f"{_address(addresses, part.name)}{probe.path}",
                "service": part.name,
                "tier": str(part.tier),
                "team": part.team,
                "env": env,
                "namespace": namespace,
            },
        }
        for part, probe in probes(inventory)
    ]
    if SUPERVISOR in addresses:
        labels = {"service": SUPERVISOR, "env": env, "namespace": namespace}
        files[STACK] = [{"targets": [addresses[SUPERVISOR]], "labels": labels}]
    files[ALERTMANAGERS] = [{"targets": [_address(addresses, "alertmanager")]}]
    return {
        f"{name}.yml": yaml.safe_dump(content, sort_keys=False) for name, content in files.items()
    }


def _address(addresses: Mapping[str, str], part: str) -> str:
    if part not in addresses:
        raise UnknownAddressError(f"{part!r} has no address")
    return addresses[part]
