"""Jaeger's configuration: one rendering for production, the local stack and tests."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from abops.inventory.load import load_inventory
from abops.observability.jaeger import (
    SECRET_ATTRIBUTES,
    TracePlace,
    badger,
    jaeger_config,
    memory,
    production,
)
from abops.stack.layout import Layout
from abops.stack.ports import DEFAULTS
from abops.stack.render import trace_place
from abops.stack.site import Site

ROOT = Path(__file__).parents[3]
PRODUCTION = production(load_inventory(ROOT / "platform.yaml"))


def read(place: TracePlace) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(jaeger_config(place))
    return document


def without_places(document: dict[str, Any]) -> dict[str, Any]:
    """Return what all places have in common: no store, no address, no size."""

    def strip(value: object) -> object:
        if isinstance(value, dict):
            left = {k: v for k, v in value.items() if k not in {"backends", "limit_mib"}}
            return {k: strip(v) for k, v in left.items() if k not in {"endpoint", "host", "port"}}
        return [strip(item) for item in value] if isinstance(value, list) else value

    stripped = strip(document)
    assert isinstance(stripped, dict)
    return stripped


def test_the_committed_file_is_what_is_rendered() -> None:
    file = ROOT / "infrastructure/monitoring/jaeger/jaeger-config.yml"
    assert read(PRODUCTION) == yaml.safe_load(file.read_text())


def test_the_stack_differs_from_production_in_addresses_and_store_only(tmp_path: Path) -> None:
    stack = trace_place(Site(Layout(tmp_path, tmp_path), DEFAULTS))
    assert without_places(read(PRODUCTION)) == without_places(read(stack))
    assert {"badger"} == set(read(stack)["extensions"]["jaeger_storage"]["backends"]["main"])
    assert {"opensearch"} == set(
        read(PRODUCTION)["extensions"]["jaeger_storage"]["backends"]["main"]
    )


def test_the_stack_listens_on_the_loopback_and_on_its_ports(tmp_path: Path) -> None:
    stack = trace_place(Site(Layout(tmp_path, tmp_path), DEFAULTS))
    text = jaeger_config(stack)
    ports = [port for name, port in DEFAULTS.items() if name.startswith("jaeger")]
    assert [] == [port for port in ports if f"127.0.0.1:{port}" not in text and port != 8888]
    assert "0.0.0.0" not in text  # noqa: S104 - looked for, not listened on
    assert "POD_IP" not in text


def test_jaeger_makes_no_spans_of_its_own() -> None:
    assert read(PRODUCTION)["extensions"]["jaeger_query"]["enable_tracing"] is False


def test_what_is_refused_is_refused_before_anything_is_done_with_it() -> None:
    assert "memory_limiter" == read(PRODUCTION)["service"]["pipelines"]["traces"]["processors"][0]


@pytest.mark.parametrize("name", SECRET_ATTRIBUTES)
def test_secrets_are_removed(name: str) -> None:
    actions = read(PRODUCTION)["processors"]["attributes"]["actions"]
    assert {"key": name, "action": "delete"} in actions


def test_no_password_is_in_the_file() -> None:
    basic = PRODUCTION.store["opensearch"]["auth"]["basic"]
    assert "password" not in basic
    assert basic["password_file"].startswith("/")


@pytest.mark.parametrize("keep_percent", [None, 0, 10])
def test_every_processor_and_connector_is_used_and_there(keep_percent: int | None) -> None:
    document = read(TracePlace(memory(), query=1, metrics=2, keep_percent=keep_percent))
    pipelines = document["service"]["pipelines"].values()
    used = {name for pipeline in pipelines for name in pipeline.get("processors", ())}
    ends = {name for p in pipelines for kind in ("receivers", "exporters") for name in p[kind]}
    assert used == set(document["processors"])
    known = {*document["receivers"], *document["exporters"], *document["connectors"]}
    assert known == ends


def test_spans_on_disk_go_after_two_days() -> None:
    assert "48h" == badger("x")["badger"]["ttl"]["spans"]
