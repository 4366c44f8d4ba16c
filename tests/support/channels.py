"""The channel servers as a test runs them: on free ports, with known secrets."""

import json
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx2

from support.servers import Server, answers, free_port, running

SECRETS = {
    "slack": "xoxb-1234-test",
    "slack-webhook": "http://127.0.0.1/services/T0/B0/abcdef",
    "slack-sign": "signing-secret",
    "pd-dev": "0123456789abcdef0123456789abcdef",
    "pd-hook": "webhook-secret",
    "telegram": "7000000001:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw",
    "smtp": "mail-password",
}


@dataclass
class Channels:
    """The channel servers' process and where its parts listen."""

    folder: Path
    ports: dict[str, int]
    server: Server | None = None

    def url(self, part: str) -> str:
        return f"http://127.0.0.1:{self.ports[part]}"

    def received(self, part: str) -> list[dict[str, Any]]:
        records: list[dict[str, Any]] = httpx2.get(f"{self.url(part)}/_received").json()
        return records

    def violations(self, part: str) -> list[dict[str, Any]]:
        records: list[dict[str, Any]] = httpx2.get(f"{self.url(part)}/_violations").json()
        return records

    def control(self, part: str, **order: object) -> None:
        path = "/_control/smtp" if part == "inbox" else "/_control"
        assert 200 == httpx2.post(f"{self.url(part)}{path}", json=order).status_code


def prepared(folder: Path) -> Channels:
    """Write the secrets and the configuration of a set of channel servers."""
    (folder / "secrets").mkdir(parents=True)
    for name, value in SECRETS.items():
        (folder / "secrets" / name).write_text(value)
    parts = ("slack", "pagerduty", "telegram", "smtp", "inbox")
    ports = {part: free_port() for part in parts}
    config: dict[str, Any] = {f"{part}_port": port for part, port in ports.items()}
    config |= {"data_dir": str(folder / "data"), "secrets_dir": str(folder / "secrets")}
    (folder / "channels.json").write_text(json.dumps(config))
    return Channels(folder, ports)


def start(channels: Channels) -> AbstractContextManager[Server]:
    """Return the context in which the servers run."""
    return running(
        [
            sys.executable,
            "-m",
            "abops.stack.channels",
            "--config",
            channels.folder / "channels.json",
        ],
        port=channels.ports["inbox"],
        log=channels.folder / "log",
        ready=lambda: answers(f"{channels.url('inbox')}/healthz"),
    )


@dataclass
class Listener:
    """What a receiver of callbacks has heard: headers (lower case) and body of each request."""

    url: str
    requests: list[tuple[dict[str, str], bytes]]


@contextmanager
def listener() -> Iterator[Listener]:
    """Listen for callbacks until the block ends; every one is answered with 200."""
    requests: list[tuple[dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            requests.append(({k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Listener(f"http://127.0.0.1:{server.server_port}/callback", requests)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
