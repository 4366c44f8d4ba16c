"""Jaeger's configuration: receive spans, clean them, keep them, answer for them.

One rendering for every place, so that what the tests and the local stack run is what
production gets; a place differs in its addresses and in where spans are kept. Jaeger 2 is
built on the OpenTelemetry Collector, so what production would ask of a collector in front of
it (masking, sampling by outcome, metrics from spans) happens in this one process.

Services decide about a trace at its head, one in ten, and send what failed or was slow
afterwards. Sampling here, by outcome, is for places where services send everything.
"""

from typing import Any, Final

import yaml
from msgspec import Struct

from abops.inventory.model import Inventory, PlatformPart

PART: Final = "jaeger"
STORE: Final = "main"
EXPORTER: Final = "jaeger_storage_exporter"
HEAD_RATIO: Final = 0.10
"""What services that ask for their ratio are told; the library's own default is the same."""
SLOW_MS: Final = 1_000
"""A trace this slow is kept whatever the share; the library sends late spans from here on."""
WAIT_S: Final = 10
"""How long the last span of a trace may take: posts wait in the queue before they are sent."""
KEPT_HOURS: Final = 48
FLUSH_S: Final = 15
"""Between two states of the metrics made of spans; as often as they would be scraped."""

SECRET_ATTRIBUTES: Final = (
    "http.request.header.authorization",
    "http.request.header.cookie",
    "http.response.header.set-cookie",
    "http.url",  # a bot's token is a part of it
    "url.full",
    "url.query",
    "db.statement",
    "db.query.text",
)
HEALTH_ROUTES: Final = ("/health", "/healthz", "/readyz", "/metrics")
BUCKETS: Final = ("10ms", "50ms", "100ms", "250ms", "500ms", "1s", "2500ms", "5s", "10s")

Document = dict[str, Any]


class TracePlace(Struct, frozen=True):
    """Where one Jaeger listens, and where it keeps spans."""

    store: Document
    query: int
    metrics: int
    host: str = "${env:POD_IP:-127.0.0.1}"
    query_grpc: int = 16685
    health: int = 13133
    otlp_grpc: int = 4317
    otlp_http: int = 4318
    sampling_grpc: int = 5779
    sampling_http: int = 5778
    span_metrics: int = 8890
    memory_mib: int = 512
    keep_percent: int | None = None
    """Share of the traces that were neither slow nor failed; None: heads have decided."""


def badger(folder: str) -> Document:
    """Return a store in files of a folder, for one machine; spans go after two days."""
    return {
        "badger": {
            "directories": {"keys": f"{folder}/keys", "values": f"{folder}/values"},
            "ephemeral": False,
            "ttl": {"spans": f"{KEPT_HOURS}h"},
        }
    }


def memory(traces: int = 10_000) -> Document:
    """Return a store that lasts as long as its process, for tests."""
    return {"memory": {"max_traces": traces}}


def opensearch() -> Document:
    """Return the store of production: indices of a day each, which a policy deletes."""
    daily = {"date_layout": "2006-01-02", "rollover_frequency": "day"}
    return {
        "opensearch": {
            "server_urls": ["${env:TRACE_STORE_URL:-http://127.0.0.1:9200}"],
            "auth": {
                "basic": {
                    "username": "${env:TRACE_STORE_USER:-jaeger}",
                    "password_file": "/etc/jaeger/secrets/opensearch",
                    "reload_interval": "1m",
                }
            },
            "indices": {
                "index_prefix": "traces",
                "spans": {**daily, "shards": 2, "replicas": 1},
                "services": {**daily, "shards": 1, "replicas": 1},
                "dependencies": {**daily, "shards": 1, "replicas": 1},
                "sampling": {**daily, "shards": 1, "replicas": 1},
            },
        }
    }


def production(inventory: Inventory) -> TracePlace:
    """Return the place of the committed file, on the inventory's ports."""
    part = next((p for p in inventory.platform if p.name == PART), None)
    return TracePlace(
        opensearch(),
        query=(part.port if part else None) or 16686,
        metrics=_metrics_port(part) or 8888,
    )


def _metrics_port(part: PlatformPart | None) -> int | None:
    return part.metrics.port if part else None


def jaeger_config(place: TracePlace) -> str:
    """Return jaeger-config.yml for one place."""
    document = {
        "service": {
            "extensions": ["jaeger_storage", "jaeger_query", "remote_sampling", "healthcheckv2"],
            "pipelines": _pipelines(place),
            "telemetry": _telemetry(place),
        },
        "extensions": _extensions(place),
        "receivers": {
            "otlp": {
                "protocols": {
                    "grpc": {"endpoint": f"{place.host}:{place.otlp_grpc}"},
                    "http": {"endpoint": f"{place.host}:{place.otlp_http}"},
                }
            }
        },
        "processors": _processors(place),
        "connectors": _connectors(place),
        "exporters": {
            EXPORTER: {"trace_storage": STORE},
            "prometheus": {"endpoint": f"{place.host}:{place.span_metrics}"},
        },
    }
    return yaml.safe_dump(document, sort_keys=False, width=120)


def _pipelines(place: TracePlace) -> Document:
    metrics = {"metrics/spans": {"receivers": ["spanmetrics"], "exporters": ["prometheus"]}}
    clean = ["memory_limiter", "filter", "attributes"]  # the limiter first: it refuses early
    if place.keep_percent is None:
        traces = {"receivers": ["otlp"], "processors": [*clean, "batch"]}
        return {"traces": traces | {"exporters": [EXPORTER, "spanmetrics"]}} | metrics
    # Metrics are taken before the sampling, so that they count everything.
    taken = {"receivers": ["otlp"], "processors": clean, "exporters": ["forward", "spanmetrics"]}
    kept = {"receivers": ["forward"], "processors": ["tail_sampling", "batch"]}
    return {"traces/in": taken, "traces/keep": kept | {"exporters": [EXPORTER]}} | metrics


def _telemetry(place: TracePlace) -> Document:
    exporter = {"prometheus": {"host": place.host, "port": place.metrics}}
    return {
        "resource": {"service.name": PART},
        "logs": {"level": "warn"},
        "metrics": {"level": "normal", "readers": [{"pull": {"exporter": exporter}}]},
    }


def _extensions(place: TracePlace) -> Document:
    def at(port: int) -> Document:
        return {"endpoint": f"{place.host}:{port}"}

    return {
        "healthcheckv2": {
            "use_v2": True,
            "http": {**at(place.health), "status": {"enabled": True, "path": "/status"}},
        },
        "jaeger_query": {
            # Otherwise it sends spans of its own to the default port of a collector.
            "enable_tracing": False,
            "storage": {"traces": STORE},
            "http": at(place.query),
            "grpc": at(place.query_grpc),
        },
        "jaeger_storage": {"backends": {STORE: place.store}},
        "remote_sampling": {
            "file": {"path": "", "default_sampling_probability": HEAD_RATIO},
            "http": at(place.sampling_http),
            "grpc": at(place.sampling_grpc),
        },
    }


def _processors(place: TracePlace) -> Document:
    found: Document = {
        "memory_limiter": {"check_interval": "1s", "limit_mib": place.memory_mib},
        "filter": {
            "error_mode": "ignore",
            "traces": {
                "span": [f'attributes["http.route"] == "{route}"' for route in HEALTH_ROUTES]
            },
        },
        "attributes": {
            "actions": [{"key": name, "action": "delete"} for name in SECRET_ATTRIBUTES]
        },
    }
    if place.keep_percent is not None:
        found["tail_sampling"] = _tail_sampling(place.keep_percent)
    return found | {"batch": {"timeout": "200ms"}}


def _tail_sampling(keep_percent: int) -> Document:
    return {
        "decision_wait": f"{WAIT_S}s",
        "num_traces": 20_000,
        "decision_cache": {"sampled_cache_size": 100_000, "non_sampled_cache_size": 100_000},
        "policies": [
            {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}},
            {"name": "slow", "type": "latency", "latency": {"threshold_ms": SLOW_MS}},
            {
                "name": "rest",
                "type": "probabilistic",
                "probabilistic": {"sampling_percentage": keep_percent},
            },
        ],
    }


def _connectors(place: TracePlace) -> Document:
    spans: Document = {
        "spanmetrics": {
            "histogram": {"explicit": {"buckets": list(BUCKETS)}},
            "metrics_flush_interval": f"{FLUSH_S}s",
            # A name that somebody makes of ids must not fill the memory.
            "aggregation_cardinality_limit": 1_000,
        }
    }
    return spans if place.keep_percent is None else {"forward": None} | spans
