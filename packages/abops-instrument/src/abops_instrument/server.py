"""The metrics page of a process that serves nothing else: bot, worker, beat.

A daemon thread, so that a process which ends does not wait for it. `/health` asks the process
itself: a bot that polls is healthy, a bot that merely exists is not.
"""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import REGISTRY, CollectorRegistry

from abops_instrument.exposition import render

Health = Callable[[], bool]


class MetricsServer:
    """A running server; `port` is the real one when 0 was asked for."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self._server = server
        self.port: int = server.server_address[1]
        self._thread = threading.Thread(
            target=server.serve_forever,
            kwargs={"poll_interval": 0.5},
            name="abops-metrics",
            daemon=True,
        )
        self._thread.start()

    def stop(self) -> None:
        """Close the port and end the thread."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)


def start_metrics_server(
    port: int,
    *,
    health: Health | None = None,
    host: str = "127.0.0.1",
    registry: CollectorRegistry = REGISTRY,
) -> MetricsServer:
    """Serve `/metrics` and `/health` from a thread; raise OSError when the port is taken.

    Without `health` the process is healthy while it answers. A health check that raises
    answers 503 with the name of the exception.
    """

    class Handler(_Handler):
        _registry = registry
        _health = staticmethod(health or _alive)

    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    return MetricsServer(server)


def _alive() -> bool:
    return True


class _Handler(BaseHTTPRequestHandler):
    _registry: CollectorRegistry = REGISTRY
    _health: Health = staticmethod(_alive)
    protocol_version = "HTTP/1.1"
    server_version = "abops"
    sys_version = ""
    timeout = 10  # seconds an idle connection may hold its thread

    def do_GET(self) -> None:
        """Answer a scrape or a health check."""
        path = self.path.split("?", 1)[0]
        if path == "/metrics":
            page, content_type = render(self.headers.get("Accept", ""), self._registry)
            self._answer(200, page, content_type)
        elif path == "/health":
            self._answer_health()
        else:
            self._answer(404, b'{"status": "not found"}', "application/json")

    def do_HEAD(self) -> None:
        """Answer as GET does, without the body."""
        self.do_GET()

    def _answer_health(self) -> None:
        try:
            healthy, reason = self._health(), ""
        except Exception as error:  # noqa: BLE001 - a broken check is an unhealthy process
            healthy, reason = False, type(error).__name__
        body = {"status": "ok" if healthy else "failing"} | ({"reason": reason} if reason else {})
        self._answer(200 if healthy else 503, json.dumps(body).encode(), "application/json")

    def _answer(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Say nothing: a scrape every five seconds is no news."""
