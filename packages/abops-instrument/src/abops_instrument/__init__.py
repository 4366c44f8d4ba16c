"""Metrics, spans and JSON logs for AnalyticBot, at a few microseconds a request.

`setup` once per process, then the part that fits it: `InstrumentMiddleware` for a web service,
`start_metrics_server` for a process without one, `abops_instrument.celery` for worker and beat,
`abops_instrument.telegram` for the bot, `abops_instrument.stores` for PostgreSQL and Redis.
"""

from abops_instrument.asgi import InstrumentMiddleware
from abops_instrument.exposition import MetricsApp, metrics_app, render
from abops_instrument.logs import configure_logs
from abops_instrument.propagation import current_traceparent, outgoing_headers
from abops_instrument.redaction import redact
from abops_instrument.series import counter, gauge, histogram
from abops_instrument.server import MetricsServer, start_metrics_server
from abops_instrument.start import setup
from abops_instrument.tracing import client_span

__all__ = [
    "InstrumentMiddleware",
    "MetricsApp",
    "MetricsServer",
    "client_span",
    "configure_logs",
    "counter",
    "current_traceparent",
    "gauge",
    "histogram",
    "metrics_app",
    "outgoing_headers",
    "redact",
    "render",
    "setup",
    "start_metrics_server",
]
