"""Filebeat and Logstash as shippers, for those who run them already.

Both send what the default shipper sends: the line as text with its place, under an identity
made of both, to the same streams through the same pipeline. Filebeat from 7.13 on speaks only
to Elasticsearch; to OpenSearch goes Logstash with its `opensearch` output.
"""

from typing import Any

from abops.inventory.model import Inventory
from abops.observability.logs.rsyslog import MAX_LINE_BYTES, ShipperPlace
from abops.observability.logs.streams import PIPELINE, sources


def filebeat_config(inventory: Inventory, place: ShipperPlace) -> dict[str, Any]:
    """Return filebeat.yml."""
    scheme = "https" if place.https else "http"
    return {
        "filebeat.inputs": [
            {
                "type": "filestream",
                "id": source.part,
                "paths": [f"{place.logs}/{source.part}.log"],
                "message_max_bytes": MAX_LINE_BYTES,
                "file_identity.fingerprint": None,
                "fields": {"part": source.part, "service": source.service},
            }
            for source in sources(inventory)
        ],
        "processors": [
            {
                "rename": {
                    "fields": [
                        {"from": "message", "to": "line"},
                        {"from": "fields.service", "to": "service.name"},
                    ]
                }
            },
            {
                "fingerprint": {
                    "fields": ["log.file.path", "log.offset", "line"],
                    "target_field": "@metadata._id",
                    "method": "xxhash",
                }
            },
            {"drop_fields": {"fields": ["agent", "ecs", "host", "input"]}},
        ],
        "queue.disk": {"max_size": "1GB"},
        "setup.template.enabled": False,
        "setup.ilm.enabled": False,
        "output.elasticsearch": {
            "hosts": [f"{scheme}://{place.host}:{place.port}"],
            "index": f"logs-{inventory.name}.%{{[fields.part]}}-{place.env}",
            "pipeline": PIPELINE,
            "non_indexable_policy.dead_letter_index": {
                "index": f"dead-letters-{inventory.name}-{place.env}"
            },
        },
        "logging.level": "warning",
    }


def logstash_pipeline(inventory: Inventory, place: ShipperPlace) -> str:
    """Return pipeline.conf. The dead letters need `dead_letter_queue.enable` in logstash.yml."""
    scheme = "https" if place.https else "http"
    inputs = "\n".join(
        f"""\
  file {{
    path => "{place.logs}/{source.part}.log"
    start_position => "beginning"
    sincedb_path => "{place.state}/{source.part}.sincedb"
    codec => plain {{ charset => "UTF-8" }}
    add_field => {{ "[@metadata][part]" => "{source.part}" "service.name" => "{source.service}" }}
  }}"""
        for source in sources(inventory)
    )
    return f"""\
input {{
{inputs}
}}
filter {{
  mutate {{
    rename => {{ "message" => "line" "[log][file][path]" => "log.file.name" }}
    remove_field => ["event", "host", "log", "@version"]
  }}
  fingerprint {{
    source => ["log.file.name", "line"]
    concatenate_sources => true
    method => "SHA256"
    target => "[@metadata][id]"
  }}
}}
output {{
  opensearch {{
    hosts => ["{scheme}://{place.host}:{place.port}"]
    index => "logs-{inventory.name}.%{{[@metadata][part]}}-{place.env}"
    action => "create"
    document_id => "%{{[@metadata][id]}}"
    pipeline => "{PIPELINE}"
    manage_template => false
  }}
}}
"""
