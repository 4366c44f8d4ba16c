"""The OpenTelemetry Collector as shipper: what the Helm chart runs on every node.

It reads the containers' logs, masks what leaves the node, and sends the same documents as the
default shipper: the line as text with its place, parsed by the store's pipeline.
"""

from typing import Any

from abops.inventory.model import Inventory
from abops.observability.logs.redaction import REDACTIONS
from abops.observability.logs.streams import PIPELINE, sources

QUEUE_BYTES = 1 << 30
STORAGE = "file_storage/queue"


def collector_config(inventory: Inventory) -> dict[str, Any]:
    """Return the configuration of the Collector's contrib image."""
    masks = [
        f'replace_pattern(body["line"], {_ottl(r.plain_pattern)}, "$${{1}}***")' for r in REDACTIONS
    ]
    return {
        "extensions": {
            STORAGE: {"directory": "/var/lib/otelcol/queue", "create_directory": True},
            "health_check": {"endpoint": "${env:POD_IP}:13134"},
        },
        "receivers": {"filelog": _containers(inventory)},
        "processors": {
            "memory_limiter": {"check_interval": "1s", "limit_mib": 256, "spike_limit_mib": 64},
            "transform/mask": {
                "error_mode": "propagate",  # a line that could not be masked does not leave
                "log_statements": [{"context": "log", "statements": masks}],
            },
            "batch": {"send_batch_size": 500, "timeout": "1s"},
        },
        "exporters": {
            "elasticsearch": {
                "endpoints": ["${env:LOG_STORE_URL}"],
                "pipeline": PIPELINE,
                "mapping": {"mode": "bodymap"},
                "logs_dynamic_id": {"enabled": True},
                "retry": {"enabled": True, "retry_on_status": [429, 503]},
                "sending_queue": {
                    "enabled": True,
                    "sizer": "bytes",
                    "queue_size": QUEUE_BYTES,
                    "storage": STORAGE,
                },
            },
        },
        "service": {
            "extensions": [STORAGE, "health_check"],
            "pipelines": {
                "logs": {
                    "receivers": ["filelog"],
                    "processors": ["memory_limiter", "transform/mask", "batch"],
                    "exporters": ["elasticsearch"],
                }
            },
            "telemetry": {"logs": {"level": "warn"}},
        },
    }


def _containers(inventory: Inventory) -> dict[str, Any]:
    namespaces = sorted({env.namespace for env in inventory.environments.values()})
    known = "|".join(source.part for source in sources(inventory))
    part = 'attributes["log.part"]'
    add = {"type": "add"}
    return {
        "include": [f"/var/log/pods/{namespace}_*/*/*.log" for namespace in namespaces],
        "exclude": ["/var/log/pods/*/otelcol/*.log"],
        "start_at": "beginning",
        "include_file_path": True,
        "include_file_record_offset": True,
        "storage": STORAGE,
        "operators": [
            {"type": "container", "id": "container"},
            {
                "type": "filter",
                "id": "known-parts",
                "expr": f'not (resource["k8s.container.name"] matches "^({known})$$")',
            },
            {
                **add,
                "id": "part",
                "field": part,
                "value": 'EXPR(resource["k8s.container.name"])',
            },
            {
                "type": "add",
                "id": "dataset",
                "field": 'attributes["data_stream.dataset"]',
                "value": f'EXPR("{inventory.name}." + {part})',
            },
            {
                "type": "add",
                "id": "namespace",
                "field": 'attributes["data_stream.namespace"]',
                "value": "${env:ABOPS_ENVIRONMENT}",
            },
            {
                "type": "add",
                "id": "identity",  # the kubelet begins files anew: the place alone would not do
                "field": 'attributes["elasticsearch.document_id"]',
                "value": (
                    'EXPR(attributes["log.file.path"] + ":" + '
                    'string(attributes["log.file.record_offset"]) + ":" + '
                    "string(timestamp.UnixNano()))"
                ),
            },
            {"type": "move", "id": "line", "from": "body", "to": "body.line"},
            {
                "type": "add",
                "id": "time",
                "field": 'body["@timestamp"]',
                "value": 'EXPR(timestamp.UTC().Format("2006-01-02T15:04:05.000Z07:00"))',
            },
            {**add, "id": "service", "field": 'body["service.name"]', "value": f"EXPR({part})"},
        ],
    }


def _ottl(pattern: str) -> str:
    """Return a pattern as a string of OTTL; the Collector itself reads `$` as a variable."""
    escaped = pattern.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{escaped}"'
