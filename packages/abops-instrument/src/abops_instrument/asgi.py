"""Metrics and spans of a web service, in one small piece of ASGI.

Written by hand because every request pays for it: what the stock instrumentations take (38 to
227 microseconds a request) is more than many handlers do. The route is read after the call,
when the router has chosen it, so the label is the template and never a path with an id in it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import perf_counter

from opentelemetry.trace import SpanKind
from prometheus_client import REGISTRY, CollectorRegistry, Histogram

from abops_instrument import tracing
from abops_instrument.exposition import Message, Receive, Scope, Send
from abops_instrument.loop_lag import watch_loop_lag
from abops_instrument.processes import MultipleProcessesError, require_one_process
from abops_instrument.propagation import RemoteSpan, parse_traceparent
from abops_instrument.series import families
from abops_instrument.work import Work

UNMATCHED = "unmatched"
OTHER_METHOD = "_OTHER"
UNCOUNTED = frozenset({"/metrics", "/health", "/ready"})
SLOW_AFTER_S = 1.0
SERVER_ERROR = 500
CLIENT_GONE = 499  # nginx's code for a request that nobody waits for any more

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"})

App = Callable[[Scope, Receive, Send], Awaitable[None]]


class InstrumentMiddleware:
    """Measures every request of an ASGI app: `app.add_middleware(InstrumentMiddleware)`.

    Args:
        app: What is measured. Add this middleware last, so that it is the outermost.
        registry: Where the metrics go.
        process: The tracing of this process; by default what `setup` made.
        slow_after_s: Seconds after which an unsampled request still gets its (late) span.
        uncounted: Paths that are neither counted nor traced.
        access_log: Log one line per counted request on `api.access`.
    """

    def __init__(  # noqa: PLR0913 - each has its default
        self,
        app: App,
        *,
        registry: CollectorRegistry = REGISTRY,
        process: tracing.Tracing | None = None,
        slow_after_s: float = SLOW_AFTER_S,
        uncounted: frozenset[str] = UNCOUNTED,
        access_log: bool = False,
    ) -> None:
        self._app = app
        self._registry = registry
        self._process = process
        self._slow_after_s = slow_after_s
        self._uncounted = uncounted
        self._access_log = logging.getLogger("api.access") if access_log else None
        made = families(registry)
        self._durations = made.histogram(
            "http_server_request_duration_seconds",
            "Time from a request's arrival to the end of its response.",
            ("http_request_method", "http_route", "http_response_status_code"),
            keep=("http_response_status_code",),
        )
        self._active = made.gauge(
            "http_server_active_requests", "Requests that are being answered."
        ).labels()
        self._exceptions = made.counter(
            "http_server_exceptions_total", "Exceptions no handler caught.", ("error_type",)
        )
        # Finding a child by (method, route, code) as they come costs a tenth of labels().
        self._children: dict[tuple[str, str, int], Histogram] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, measured."""
        if scope["type"] != "http":
            await self._pass(scope, receive, send)
            return
        if scope["path"] in self._uncounted:
            await self._app(scope, receive, send)
            return
        process = self._process or tracing.current()
        request = _Request(scope, process)
        status = 0

        def observed(message: Message) -> Awaitable[None]:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            return send(message)

        error: BaseException | None = None
        self._active.inc()
        try:
            await self._app(scope, receive, observed)
        except BaseException as raised:
            error = raised
            raise
        finally:
            self._active.dec()
            self._finish(request, status, error)
            request.leave()

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        try:
            require_one_process()
        except MultipleProcessesError as error:
            # An exception would only tell uvicorn that the app knows no lifespan.
            await receive()
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        lag = asyncio.create_task(watch_loop_lag(self._registry))
        try:
            await self._app(scope, receive, send)
        finally:
            lag.cancel()
            with suppress(asyncio.CancelledError):
                await lag

    def _finish(self, request: _Request, status: int, error: BaseException | None) -> None:
        duration = perf_counter() - request.started
        if error is not None:
            if isinstance(error, asyncio.CancelledError):
                status = status or CLIENT_GONE
            else:
                status = status or SERVER_ERROR
                self._exceptions.labels(type(error).__name__).inc()
        method = request.method
        route = _route(request.scope, request.root_path)
        child = self._children.get((method, route, status))
        if child is None:
            child = self._child(method, route, status)
        failed = status >= SERVER_ERROR or (error is not None and status != CLIENT_GONE)
        is_slow = duration > self._slow_after_s
        becomes_a_span = request.is_sampled or failed or is_slow
        child.observe(duration, request.exemplar() if becomes_a_span else None)
        if becomes_a_span:
            attributes: dict[str, str | int | bool] = {
                "http.request.method": method,
                "http.route": route,
                "http.response.status_code": status,
            }
            request.end(f"{method} {route}", attributes, error=error, failed=failed, wanted=is_slow)
        if self._access_log is not None:
            request.log(self._access_log, route, status, duration)

    def _child(self, method: str, route: str, status: int) -> Histogram:
        labels = (method, route, str(status))
        child = self._durations.labels(*labels)
        if self._durations.is_known(*labels):
            self._children[method, route, status] = child
        return child


class _Request(Work):
    """One request."""

    __slots__ = ("method", "root_path", "scope")

    def __init__(self, scope: Scope, process: tracing.Tracing) -> None:
        method = scope["method"]
        self.method: str = method if method in _METHODS else OTHER_METHOD
        super().__init__(self.method, SpanKind.SERVER, _caller(scope), process)
        self.scope = scope
        self.root_path: str = scope.get("root_path", "")

    def log(self, logger: logging.Logger, route: str, status: int, duration: float) -> None:
        """Write the access line."""
        logger.info(
            "%s %s %d",
            self.method,
            route,
            status,
            extra={
                "dataset": "api.access",
                "event.duration": round(duration * 1e9),
                "http.request.method": self.method,
                "http.response.status_code": status,
                "http.route": route,
            },
        )


def _caller(scope: Scope) -> RemoteSpan | None:
    for name, value in scope["headers"]:
        if name == b"traceparent":
            return parse_traceparent(value.decode("latin-1"))
    return None


def _route(scope: Scope, root_path: str) -> str:
    """Return the template of the route that answered.

    FastAPI keeps the prefixes of included routers beside the route, Starlette keeps the path of
    a mounted app in root_path.
    """
    chosen = scope.get("route")
    mounted: str = scope.get("root_path", "")[len(root_path) :]
    if chosen is None:
        return mounted or UNMATCHED
    included = scope.get("fastapi")
    if included:
        effective = included.get("effective_route_context")
        if effective is not None and effective.original_route is chosen:
            chosen = effective
    path: str = getattr(chosen, "path", "") or ""
    if mounted and not path.startswith(mounted):
        path = mounted + path
    return path or UNMATCHED
