"""Calls to other services over HTTP: one histogram, whichever client makes them.

The label `http_response_status_code` is the answer's code, or `error` when there was no answer:
a name that does not resolve, a refused or broken connection, a timeout, a call that was given up.
One word for all of them, because whoever is paged asks whether the other side answers; which
exception it was stands in the log. `server_address` is the host alone, lower-cased: no port, no
path, no credentials. Hosts that do not fit the series budget are counted under `_overflow` and
keep their status code, so the ratio of errors stays right.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

from prometheus_client import REGISTRY, CollectorRegistry

from abops_instrument.propagation import outgoing_headers
from abops_instrument.series import families
from abops_instrument.tracing import client_span

NAME = "http_client_request_duration_seconds"
HELP = "Time a call to another service took."
LABELS = ("server_address", "http_response_status_code")
NO_ANSWER = "error"
_CODES = range(100, 600)


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
    observe = _observer(registry)
    host = host_of(server_address)
    started = perf_counter()
    status = 0
    try:
        with client_span(method, server__address=host) as span:
            call = HttpCall()
            yield call
            status = call.status
            span.set_attribute("http.response.status_code", status)
    finally:
        observe(host, status, perf_counter() - started)


def aiohttp_trace(
    *,
    skip: Callable[[str], bool] = lambda _path: False,
    registry: CollectorRegistry = REGISTRY,
) -> Any:  # noqa: ANN401 - an aiohttp.TraceConfig, which this library does not import
    """Return what measures an aiohttp session: `ClientSession(trace_configs=[aiohttp_trace()])`.

    It makes no span: aiohttp's callers (aiogram among them) know better names than a path.

    Args:
        skip: Tells by the path which calls are not measured: a long poll waits by design, and
            would say that the other side is slow.
        registry: Where the metric goes.
    """
    observe = _observer(registry)
    config: Any = import_module("aiohttp").TraceConfig()

    async def begin(_session: object, context: Any, _parameters: object) -> None:  # noqa: ANN401
        context.started = perf_counter()

    async def end(_session: object, context: Any, parameters: Any) -> None:  # noqa: ANN401
        answered(context, parameters, int(parameters.response.status))

    async def fail(_session: object, context: Any, parameters: Any) -> None:  # noqa: ANN401
        answered(context, parameters, 0)

    def answered(context: Any, parameters: Any, status: int) -> None:  # noqa: ANN401
        if not skip(parameters.url.path):
            observe(host_of(parameters.url.host or ""), status, perf_counter() - context.started)

    config.on_request_start.append(begin)
    config.on_request_end.append(end)
    config.on_request_exception.append(fail)
    return config


def host_of(address: str) -> str:
    """Return the host alone of a host, a host with a port, or a URL."""
    try:
        host = urlsplit(address if "//" in address else f"//{address}").hostname
    except ValueError:  # a bracket without its partner
        host = None
    return host or "unknown"


def status_label(status: int) -> str:
    """Return the label for a status, 0 when there was no answer; a code out of range is none."""
    return str(status) if status in _CODES else NO_ANSWER


def _observer(registry: CollectorRegistry) -> Callable[[str, int, float], None]:
    durations = families(registry).histogram(
        NAME, HELP, LABELS, keep=("http_response_status_code",)
    )

    def observe(host: str, status: int, seconds: float) -> None:
        durations.labels(host, status_label(status)).observe(seconds)

    return observe
