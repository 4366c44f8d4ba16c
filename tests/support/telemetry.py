"""The far ends of instrumented processes: a collector, Telegram, and whoever scrapes."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, TypeVar
from urllib.request import urlopen

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

WORKLOAD_PYTHON = Path(__file__).parents[2] / "workload" / ".venv" / "bin" / "python"

_Server = TypeVar("_Server", bound=ThreadingHTTPServer)


class Collector(ThreadingHTTPServer):
    """Takes spans over OTLP and HTTP and keeps them."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _CollectorHandler)
        self.spans: list[Any] = []
        self.services: set[str] = set()

    @property
    def url(self) -> str:
        """Return the base address that OTEL_EXPORTER_OTLP_ENDPOINT takes."""
        return f"http://127.0.0.1:{self.server_port}"

    def named(self, name: str) -> list[Any]:
        """Return the spans of this name."""
        return [span for span in self.spans if span.name == name]


class _CollectorHandler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for attribute in resource.resource.attributes:
                if attribute.key == "service.name":
                    self.server.services.add(attribute.value.string_value)
            for scope in resource.scope_spans:
                self.server.spans.extend(scope.spans)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


class Telegram(ThreadingHTTPServer):
    """Answers a bot: two updates once, then empty polls; whoever is chat 403 has blocked it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _TelegramHandler)
        self.sent = 0
        self.polls_are_refused = False
        self.stopping = threading.Event()

    @property
    def url(self) -> str:
        """Return the base address of the API."""
        return f"http://127.0.0.1:{self.server_port}"


class _TelegramHandler(BaseHTTPRequestHandler):
    server: Telegram
    protocol_version = "HTTP/1.1"
    me: ClassVar = {"id": 1, "is_bot": True, "first_name": "bot", "username": "a_bot"}

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        method = self.path.rsplit("/", 1)[1]
        status, answer = 200, self._answer(method)
        refused = "Forbidden: bot was blocked by the user"
        if method == "sendMessage" and b"403" in body:
            status, answer = 403, None
        if method == "getUpdates" and self.server.polls_are_refused:
            status, answer = 409, None
            refused = "Conflict: terminated by other getUpdates request"
        payload = {"ok": answer is not None, "result": answer, "error_code": status}
        if answer is None:
            payload["description"] = refused
        text = json.dumps(payload).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _answer(self, method: str) -> Any:  # noqa: ANN401 - any of Telegram's answers
        if method == "getMe":
            return self.me
        if method == "getUpdates":
            if self.server.sent:
                self.server.stopping.wait(0.2)
                return []
            self.server.sent = 2
            return [_message(1, "/start"), _message(2, "what?")]
        if method == "sendMessage":
            return _message(3, "hello")["message"]
        return True

    def log_message(self, *_: object) -> None: ...


def _message(number: int, text: str) -> dict[str, Any]:
    person = {"id": 7, "is_bot": False, "first_name": "Ada"}
    message = {
        "message_id": number,
        "date": 1_795_000_000,
        "chat": {"id": 7, "type": "private", "first_name": "Ada"},
        "from": person,
        "text": text,
    }
    if text.startswith("/"):
        message["entities"] = [{"type": "bot_command", "offset": 0, "length": len(text)}]
    return {"update_id": number, "message": message}


@contextmanager
def serving(server: _Server) -> Iterator[_Server]:
    """Serve from a thread until the block ends."""
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


class Scrape:
    """What a process says on its metrics page."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def page(self) -> str:
        """Return the page."""
        with urlopen(f"{self.url}/metrics", timeout=5) as answer:
            return str(answer.read().decode())

    def samples(self, name: str) -> dict[str, float]:
        """Return the values of `name` by their labels as the page writes them."""
        return parse_samples(self.page(), name)


def parse_samples(page: str, name: str) -> dict[str, float]:
    """Return the values of `name` on a metrics page by their labels as it writes them."""
    found = {}
    for line in page.splitlines():
        key, _, value = line.rpartition(" ")
        if key == name or key.startswith(f"{name}{{"):
            found[key.removeprefix(name)] = float(value)
    return found
