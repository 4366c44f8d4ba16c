"""The Prometheus and blackbox configurations: one file for every environment."""

from typing import Any

import yaml

from abops.inventory.model import Inventory
from abops.kernel.quantities import format_duration
from abops.observability.targets import (
    ALERTMANAGERS,
    PROBE_INTERVAL,
    PROBES,
    STACK,
    jobs,
    optional_jobs,
    probes,
)


def prometheus_config(inventory: Inventory) -> str:
    """Return prometheus.yml. Paths in it are relative to its folder."""
    config = {
        "global": {
            "scrape_interval": "15s",
            "scrape_timeout": "4s",
            "evaluation_interval": "15s",
            "external_labels": {"platform": inventory.name},
        },
        "storage": {"exemplars": {"max_exemplars": 100_000}},
        "rule_files": ["rules/*.yml"],
        "alerting": {
            "alertmanagers": [{"file_sd_configs": [_files(ALERTMANAGERS)], "timeout": "5s"}]
        },
        "scrape_configs": [
            *(
                {
                    "job_name": job.name,
                    "metrics_path": job.path,
                    "scrape_interval": format_duration(job.interval),
                    "file_sd_configs": [_files(job.name)],
                }
                for job in (*jobs(inventory), *optional_jobs(inventory))
            ),
            _probe_job(),
            _stack_job(),
        ],
    }
    return _dump(config)


def _probe_job() -> dict[str, Any]:
    return {
        "job_name": PROBES,
        "metrics_path": "/probe",
        "scrape_interval": format_duration(PROBE_INTERVAL),
        "file_sd_configs": [_files(PROBES)],
    }


def _stack_job() -> dict[str, Any]:
    # Its series are about other parts: their label `service` stands over the target's own.
    return {
        "job_name": STACK,
        "metrics_path": "/metrics",
        "scrape_interval": "15s",
        "honor_labels": True,
        "file_sd_configs": [_files(STACK)],
    }


def _files(name: str) -> dict[str, Any]:
    return {"files": [f"targets/{name}.yml"], "refresh_interval": "10s"}


def blackbox_config(inventory: Inventory) -> str:
    """Return blackbox.yml with the modules that the inventory names, and tcp_connect."""
    names = {probe.module for _part, probe in probes(inventory)} | {"tcp_connect"}
    modules = {name: _module(name) for name in sorted(names)}
    return _dump({"modules": modules})


def _module(name: str) -> dict[str, Any]:
    # Shorter than the scrape's own time limit, so that a hanging part is a failed probe.
    module: dict[str, Any] = {"timeout": "3s"}
    if name.startswith("tcp"):
        return module | {"prober": "tcp"}
    return module | {
        "prober": "http",
        "http": {"preferred_ip_protocol": "ip4", "follow_redirects": False},
    }


def _dump(content: object) -> str:
    return yaml.safe_dump(content, sort_keys=False, width=120)
