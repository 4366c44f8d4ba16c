"""What the store is told before the first line: pipeline, template, policies, saved objects.

Field names follow the ECS. The policies are for the stores that know them (ILM: Elasticsearch,
ISM: OpenSearch with its plugin); where neither is there, `abops observability logs rollover`
does what they say.
"""

import json
from typing import Any

from abops.inventory.model import Inventory
from abops.observability.logs.redaction import REDACTIONS
from abops.observability.logs.retention import RETENTION, Retention
from abops.observability.logs.streams import PIPELINE, POLICY, TEMPLATE, sources, stream_pattern

Document = dict[str, Any]

FIELD_LIMIT = 500
KEYWORD_LIMIT = 1024
TEXT = {"type": "text", "norms": False}
KEYWORD = {"type": "keyword", "ignore_above": KEYWORD_LIMIT}

FIELDS: dict[str, Document] = {
    "@timestamp": {"type": "date"},
    "message": TEXT,
    "event.dataset": KEYWORD,
    "event.duration": {"type": "long"},
    "event.ingested": {"type": "date"},
    "error.type": KEYWORD,
    "error.message": TEXT,
    "error.stack_trace": {"type": "text", "norms": False, "index": False},
    "http.route": KEYWORD,
    "http.request.method": KEYWORD,
    "http.response.status_code": {"type": "long"},
    "log.level": KEYWORD,
    "log.logger": KEYWORD,
    "log.file.name": KEYWORD,
    "log.offset": {"type": "long"},
    "service.name": KEYWORD,
    "service.version": KEYWORD,
    "service.environment": KEYWORD,
    "span.id": KEYWORD,
    "trace.id": KEYWORD,
}


def pipeline() -> Document:
    """Return the ingest pipeline: mask in the text, then take the fields out of it.

    A line that is no JSON object becomes the message as it stands. Nothing here is a script:
    stores that allow none take it too.
    """
    masks = [
        {
            "gsub": {
                "tag": redaction.kind,
                "field": "line",
                "pattern": redaction.pattern,
                "replacement": redaction.replacement,
                "ignore_missing": True,
            }
        }
        for redaction in REDACTIONS
    ]
    fields: list[Document] = [
        {"json": {"tag": "parse", "field": "line", "add_to_root": True, "ignore_failure": True}},
        {"rename": {"field": "line", "target_field": "message", "ignore_failure": True}},
        {"remove": {"field": "line", "ignore_missing": True}},
        {
            "set": {
                "field": "event.ingested",
                "value": "{{{_ingest.timestamp}}}",
                "ignore_failure": True,
            }
        },
    ]
    return {
        "description": "Secrets and personal numbers are masked, then the line becomes fields.",
        "processors": [*masks, *fields],
    }


def index_template(inventory: Inventory) -> Document:
    """Return the template of every log stream."""
    return {
        "index_patterns": [stream_pattern(inventory), f"ss4o_logs-{inventory.name}*"],
        "data_stream": {},
        "priority": 200,
        "template": {
            "settings": {
                "index.number_of_shards": 1,
                "index.auto_expand_replicas": "0-1",
                "index.refresh_interval": "5s",
                "index.codec": "best_compression",
                "index.mapping.total_fields.limit": FIELD_LIMIT,
                "index.query.default_field": ["message", "error.message", "error.type"],
            },
            "mappings": {
                "dynamic_templates": [
                    {"texts": {"match_mapping_type": "string", "mapping": KEYWORD}},
                ],
                "date_detection": False,
                "properties": FIELDS,
            },
        },
        "_meta": {"about": f"{TEMPLATE}: JSON lines of {inventory.name} in ECS field names"},
    }


def ilm_policy(retention: Retention = RETENTION) -> Document:
    """Return the policy for Elasticsearch's index lifecycle management."""
    return {
        "policy": {
            "phases": {
                "hot": {
                    "min_age": "0ms",
                    "actions": {
                        "rollover": {
                            "max_age": f"{retention.roll_after_days}d",
                            "max_primary_shard_size": f"{retention.roll_above_gib}gb",
                        },
                        "set_priority": {"priority": 100},
                    },
                },
                "warm": {
                    "min_age": f"{retention.merge_after_days}d",
                    "actions": {
                        "forcemerge": {"max_num_segments": 1},
                        "set_priority": {"priority": 50},
                    },
                },
                "delete": {
                    "min_age": f"{retention.delete_after_days}d",
                    "actions": {"delete": {}},
                },
            },
            "_meta": {"about": POLICY},
        }
    }


def ism_policy(inventory: Inventory, retention: Retention = RETENTION) -> Document:
    """Return the policy for OpenSearch's index state management plugin."""
    return {
        "policy": {
            "description": f"{POLICY}: roll over daily, merge, delete.",
            "default_state": "hot",
            "ism_template": [{"index_patterns": [stream_pattern(inventory)], "priority": 200}],
            "states": [
                {
                    "name": "hot",
                    "actions": [
                        {
                            "rollover": {
                                "min_index_age": f"{retention.roll_after_days}d",
                                "min_primary_shard_size": f"{retention.roll_above_gib}gb",
                            }
                        }
                    ],
                    "transitions": [
                        {
                            "state_name": "warm",
                            "conditions": {"min_rollover_age": f"{retention.merge_after_days}d"},
                        }
                    ],
                },
                {
                    "name": "warm",
                    "actions": [{"force_merge": {"max_num_segments": 1}}],
                    "transitions": [
                        {
                            "state_name": "gone",
                            "conditions": {"min_rollover_age": f"{retention.delete_after_days}d"},
                        }
                    ],
                },
                {"name": "gone", "actions": [{"delete": {}}], "transitions": []},
            ],
        }
    }


def saved_objects(inventory: Inventory) -> list[Document]:
    """Return an index pattern and searches for OpenSearch Dashboards or Kibana."""
    pattern_id = f"{inventory.name}-logs"
    title = stream_pattern(inventory)
    pattern: Document = {
        "id": pattern_id,
        "type": "index-pattern",
        "attributes": {"title": title, "timeFieldName": "@timestamp"},
        "references": [],
    }
    searches = [("errors", "Errors of every part", 'log.level:("error" or "critical")')]
    searches += [
        (source.part, f"Log of {source.part}", f'service.name:"{source.service}"')
        for source in sources(inventory)
        if source.part != source.service
    ]
    return [pattern, *(_search(pattern_id, *values) for values in searches)]


def _search(pattern_id: str, name: str, title: str, query: str) -> Document:
    source = {
        "query": {"query": query, "language": "kuery"},
        "filter": [],
        "indexRefName": "kibanaSavedObjectMeta.searchSourceJSON.index",
    }
    return {
        "id": f"{pattern_id}-{name}",
        "type": "search",
        "attributes": {
            "title": title,
            "columns": ["log.level", "service.name", "message", "trace.id"],
            "sort": [["@timestamp", "desc"]],
            "kibanaSavedObjectMeta": {"searchSourceJSON": json.dumps(source, sort_keys=True)},
        },
        "references": [
            {"id": pattern_id, "type": "index-pattern", "name": source["indexRefName"]},
        ],
    }


def to_json(document: Document) -> str:
    """Return a document as a file of ours: indented, with a line end."""
    return json.dumps(document, indent=2) + "\n"


def to_ndjson(documents: list[Document]) -> str:
    """Return one document a line, as imports of saved objects want them."""
    return "".join(json.dumps(document, sort_keys=True) + "\n" for document in documents)


def setup_calls(inventory: Inventory) -> tuple[tuple[str, Document], ...]:
    """Return what is put where before the first line; putting it again changes nothing."""
    return (
        (f"/_ingest/pipeline/{PIPELINE}", pipeline()),
        (f"/_index_template/{TEMPLATE}", index_template(inventory)),
    )
