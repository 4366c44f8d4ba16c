"""Scrape jobs and target files: what is measured under which labels, at which address."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from abops.inventory.load import load_inventory
from abops.kernel.quantities import parse_duration
from abops.observability.scrape import blackbox_config, prometheus_config
from abops.observability.targets import (
    UnknownAddressError,
    jobs,
    probes,
    target_files,
    told_by,
)

INVENTORY = load_inventory(Path(__file__).parents[3] / "platform.yaml")
PARTS = [part.name for part in (*INVENTORY.services, *INVENTORY.platform)]
ADDRESSES = {name: f"{name}.test:1" for name in PARTS} | {"jaeger-metrics": "jaeger.test:8888"}


def read(name: str, env: str = "local") -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = yaml.safe_load(target_files(INVENTORY, env, ADDRESSES)[name])
    return content


def test_every_job_has_a_target_file() -> None:
    expected = {f"{job.name}.yml" for job in jobs(INVENTORY)} | {"probes.yml", "alertmanagers.yml"}

    assert expected == set(target_files(INVENTORY, "local", ADDRESSES))


def test_an_optional_part_is_scraped_where_it_has_an_address() -> None:
    addresses = ADDRESSES | {"mtproto": "mtproto.test:1"}
    labels = {"service": "mtproto", "env": "local", "namespace": "analyticbot"}

    files = target_files(INVENTORY, "local", addresses)

    (target,) = yaml.safe_load(files["analyticbot-mtproto.yml"])
    assert {"targets": ["mtproto.test:1"], "labels": labels} == target
    scraped = yaml.safe_load(prometheus_config(INVENTORY))["scrape_configs"]
    assert "analyticbot-mtproto" in {job["job_name"] for job in scraped}


def test_an_optional_part_is_told_by_its_own_job_or_anothers() -> None:
    told = {part.name: told_by(INVENTORY, part).name for part in INVENTORY.optional}

    assert {
        "opensearch": "node",
        "rsyslog": "node",
        "logs-keeper": "node",
        "mtproto": "analyticbot-mtproto",
    } == told


def test_only_a_place_with_a_supervisor_has_a_target_for_it() -> None:
    addresses = ADDRESSES | {"supervisor": "supervisor.test:1"}
    labels = {"service": "supervisor", "env": "local", "namespace": "analyticbot"}

    (target,) = yaml.safe_load(target_files(INVENTORY, "local", addresses)["abops-stack.yml"])

    assert {"targets": ["supervisor.test:1"], "labels": labels} == target
    assert "abops-stack.yml" not in target_files(INVENTORY, "production", ADDRESSES)


def test_what_the_supervisor_says_of_a_part_keeps_the_parts_name() -> None:
    scraped = yaml.safe_load(prometheus_config(INVENTORY))["scrape_configs"]

    assert ["abops-stack"] == [job["job_name"] for job in scraped if job.get("honor_labels")]


def test_a_service_is_scraped_at_its_own_address() -> None:
    labels = {"service": "api", "env": "local", "namespace": "analyticbot"}

    assert [{"targets": ["api.test:1"], "labels": labels}] == read("analyticbot-api.yml")


def test_the_labels_name_the_environment_and_its_namespace() -> None:
    labels = {"service": "api", "env": "staging", "namespace": "analyticbot-staging"}

    assert labels == read("analyticbot-api.yml", "staging")[0]["labels"]


def test_a_store_is_scraped_through_its_exporter() -> None:
    (target,) = read("postgres.yml")

    assert ["postgres-exporter.test:1"] == target["targets"]
    assert "postgres" == target["labels"]["service"]


def test_metrics_with_a_port_of_their_own_are_looked_up_by_it() -> None:
    assert ["jaeger.test:8888"] == read("jaeger.yml")[0]["targets"]


def test_without_that_address_the_parts_own_is_used() -> None:
    addresses = {name: address for name, address in ADDRESSES.items() if name != "jaeger-metrics"}

    (target,) = yaml.safe_load(target_files(INVENTORY, "local", addresses)["jaeger.yml"])

    assert ["jaeger.test:1"] == target["targets"]


def test_a_probe_asks_the_blackbox_exporter_about_the_part() -> None:
    probe = next(entry for entry in read("probes.yml") if entry["labels"]["service"] == "bot")

    assert {
        "targets": ["blackbox.test:1"],
        "labels": {
            "__param_target": "http://bot.test:1/health",
            "__param_module": "http_2xx",
            "instance": "bot.test:1/health",
            "service": "bot",
            "tier": "1",
            "team": "dev",
            "env": "local",
            "namespace": "analyticbot",
        },
    } == probe


def test_every_part_with_a_probe_is_probed() -> None:
    assert ["api", "bot", "prometheus", "alertmanager"] == [
        entry["labels"]["service"] for entry in read("probes.yml")
    ]


def test_prometheus_finds_alertmanager() -> None:
    assert [{"targets": ["alertmanager.test:1"]}] == read("alertmanagers.yml")


@pytest.mark.parametrize("part", ["api", "postgres-exporter", "blackbox", "alertmanager"])
def test_a_part_without_an_address_is_named(part: str) -> None:
    addresses = {name: address for name, address in ADDRESSES.items() if name != part}

    with pytest.raises(UnknownAddressError, match=f"'{part}' has no address"):
        target_files(INVENTORY, "local", addresses)


def test_prometheus_scrapes_every_job_as_often_as_the_inventory_says() -> None:
    scraped = yaml.safe_load(prometheus_config(INVENTORY))["scrape_configs"]

    assert {
        "analyticbot-api": ("5s", "/metrics"),
        "analyticbot-bot": ("5s", "/metrics"),
        "analyticbot-worker": ("5s", "/metrics"),
        "analyticbot-beat": ("5s", "/metrics"),
        "analyticbot-mtproto": ("15s", "/metrics"),
        "postgres": ("5s", "/metrics"),
        "redis": ("5s", "/metrics"),
        "node": ("30s", "/metrics"),
        "blackbox": ("15s", "/metrics"),
        "abops-exporter": ("15s", "/metrics"),
        "prometheus": ("15s", "/metrics"),
        "alertmanager": ("5s", "/metrics"),
        "jaeger": ("15s", "/metrics"),
        "abops-alerts": ("5s", "/metrics"),
        "backup": ("15s", "/metrics"),
        "backup-wal": ("15s", "/metrics"),
        "probes": ("5s", "/probe"),
        "abops-stack": ("15s", "/metrics"),
    } == {job["job_name"]: (job["scrape_interval"], job["metrics_path"]) for job in scraped}


def test_every_job_reads_the_target_file_of_its_name() -> None:
    config = yaml.safe_load(prometheus_config(INVENTORY))
    optional = {part.name: f"{part.name}.test:1" for part in INVENTORY.optional}
    more = optional | {"supervisor": "supervisor.test:1"}
    written = target_files(INVENTORY, "local", ADDRESSES | more)

    read_by = [job["file_sd_configs"][0]["files"] for job in config["scrape_configs"]]
    (alertmanagers,) = config["alerting"]["alertmanagers"]
    read_by.append(alertmanagers["file_sd_configs"][0]["files"])

    assert sorted(f"targets/{name}" for name in written) == sorted(f for (f,) in read_by)


def test_no_scrape_may_last_longer_than_the_shortest_interval() -> None:
    config = yaml.safe_load(prometheus_config(INVENTORY))
    intervals = [parse_duration(job["scrape_interval"]) for job in config["scrape_configs"]]

    assert parse_duration(config["global"]["scrape_timeout"]) < min(intervals)


def test_a_probe_gives_up_before_its_scrape_does() -> None:
    modules = yaml.safe_load(blackbox_config(INVENTORY))["modules"]
    limit = yaml.safe_load(prometheus_config(INVENTORY))["global"]["scrape_timeout"]

    assert {probe.module for _part, probe in probes(INVENTORY)} <= set(modules)
    for module in modules.values():
        assert parse_duration(module["timeout"]) < parse_duration(limit)
