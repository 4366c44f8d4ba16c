"""The log path's files, rendered from the inventory: the default shipper and its alternatives."""

from typing import Any

import yaml

from abops.inventory.model import Inventory
from abops.observability.logs.beats import filebeat_config, logstash_pipeline
from abops.observability.logs.collector import collector_config
from abops.observability.logs.rsyslog import ShipperPlace, rsyslog_config
from abops.observability.logs.templates import (
    ilm_policy,
    index_template,
    ism_policy,
    pipeline,
    saved_objects,
    to_json,
    to_ndjson,
)


def commented_files(inventory: Inventory) -> dict[str, str]:
    """Return the files in which a line may begin with `#`, by their name."""
    place = production(inventory)
    return {
        "rsyslog.conf": rsyslog_config(inventory, place),
        "filebeat.yml": _yaml(filebeat_config(inventory, place)),
        "logstash/pipeline.conf": logstash_pipeline(inventory, place),
        "otelcol.yaml": _yaml(collector_config(inventory)),
    }


def json_files(inventory: Inventory) -> dict[str, str]:
    """Return the files for the store, by their name."""
    return {
        "ingest-pipeline.json": to_json(pipeline()),
        "index-template.json": to_json(index_template(inventory)),
        "ilm-policy.json": to_json(ilm_policy()),
        "ism-policy.json": to_json(ism_policy(inventory)),
        "saved-objects.ndjson": to_ndjson(saved_objects(inventory)),
    }


def production(inventory: Inventory) -> ShipperPlace:
    """Return the place of the committed files: the environment that customers use."""
    known = tuple(inventory.environments)
    return ShipperPlace("production" if "production" in known else known[-1])


def _yaml(document: dict[str, Any]) -> str:
    return yaml.safe_dump(document, sort_keys=False, width=4096, allow_unicode=True)
