"""Sending spans to a collector over OTLP and HTTP."""

import logging
from time import monotonic

from opentelemetry.sdk.trace.export import SpanExporter

_TIMEOUT_S = 2.0
_LOGGER = "opentelemetry.exporter.otlp.proto.http.trace_exporter"


def otlp_exporter(endpoint: str) -> SpanExporter:
    """Return an exporter to the collector at this base URL."""
    # Here, because it loads protobuf and an HTTP client: 100 ms that only exporting needs.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )

    _quieten(_LOGGER)
    return OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=_TIMEOUT_S)


class _OncePerMinute(logging.Filter):
    """Lets one line a minute pass: a missing collector is told, not repeated."""

    def __init__(self) -> None:
        super().__init__()
        self._quiet_until = 0.0

    def filter(self, _record: logging.LogRecord) -> bool:
        now = monotonic()
        if now < self._quiet_until:
            return False
        self._quiet_until = now + 60
        return True


def _quieten(logger: str) -> None:
    found = logging.getLogger(logger)
    if not any(isinstance(known, _OncePerMinute) for known in found.filters):
        found.addFilter(_OncePerMinute())
