"""A log store that answers every search as told."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

from support.console import NOON

TRACE = "ab" * 16


def a_hit(number: int = 1, **fields: object) -> dict[str, Any]:
    at = (NOON - timedelta(minutes=number)).isoformat().replace("+00:00", "Z")
    source = {"@timestamp": at, "message": f"line {number}", "log.level": "info", **fields}
    return {
        "_id": str(number),
        "_index": ".ds-logs-analyticbot.api-local-000001",
        "_source": source,
    }


def an_answer(*hits: dict[str, Any], total: int | None = None) -> dict[str, Any]:
    found = {"total": {"value": len(hits) if total is None else total, "relation": "eq"}}
    bar = {"key_as_string": "2026-11-24T11:30:00.000Z", "doc_count": 3, "errors": {"doc_count": 1}}
    return {
        "took": 7,
        "hits": {**found, "hits": list(hits)},
        "aggregations": {"levels": {"buckets": []}, "bars": {"buckets": [bar]}},
    }


@contextmanager
def a_store(answer: dict[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Serve one answer to every search; return the address and the searches that came."""
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            asked.append({"path": self.path, **body})
            raw = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
