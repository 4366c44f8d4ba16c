"""Calls to other services over HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from prometheus_client import REGISTRY, CollectorRegistry

from abops_instrument.propagation import outgoing_headers
from abops_instrument.series import families
from abops_instrument.tracing import client_span


class HttpCall:
    """One call: send `headers` along, and say its `status` when the answer is there."""

    def __init__(self) -> None:
        self.headers = outgoing_headers()
        self.status = 0


@contextmanager
def http_call(
    server_address: str, method: str = "GET", registry: CollectorRegistry = REGISTRY
) -> Iterator[HttpCall]:
    """Measure a call to `server_address`; without a status it counts as `error`."""
    durations = families(registry).histogram(
        "http_client_request_duration_seconds",
        "Time a call to another service took.",
        ("server_address", "http_response_status_code"),
    )
    started = perf_counter()
    status = 0
    try:
        with client_span(method, server__address=server_address) as span:
            call = HttpCall()
            yield call
            status = call.status
            span.set_attribute("http.response.status_code", status)
    finally:
        durations.labels(server_address, str(status) if status else "error").observe(
            perf_counter() - started
        )
